package dev.walsh.measure;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;

/**
 * When, where and from which sources a result was made.
 *
 * @param date local time, to the minute
 * @param device as {@link Hardware#banner} says it
 * @param commit of the sources, with a plus where they were changed since; "unknown" outside a checkout
 * @param command that makes the result again
 */
public record Stamp(String date, String device, String commit, String command) {
  public static Stamp now(String device, List<String> arguments) {
    return new Stamp(LocalDateTime.now().truncatedTo(ChronoUnit.MINUTES).toString().replace('T', ' '), device, checkedOut(),
        "./walsh " + String.join(" ", arguments));
  }

  private static String checkedOut() {
    var described = git("describe", "--always", "--dirty=+", "--exclude=*");
    return described.isEmpty() ? "unknown" : described;
  }

  private static String git(String... arguments) {
    try {
      var code = Path.of(Stamp.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      var command = new ArrayList<>(List.of("git", "-C", code.resolveSibling(".").toString()));
      command.addAll(List.of(arguments));
      var process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      return process.waitFor() == 0 ? output : "";
    } catch (IOException | URISyntaxException e) {
      return "";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "";
    }
  }
}
