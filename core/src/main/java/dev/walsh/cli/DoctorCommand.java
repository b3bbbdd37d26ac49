package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.measure.Checkup;
import dev.walsh.measure.Finding;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh doctor}: what walsh finds on this machine, what each fallback costs, and how fast the device is. */
@Command(name = "doctor", description = "Show what walsh finds on this machine, what each fallback costs, and how fast it computes.", mixinStandardHelpOptions = true)
public final class DoctorCommand implements Callable<Integer> {
  private static final int CANNOT_COMPUTE = 1;

  @Option(names = "--json", description = "Print one line of JSON.")
  private boolean json;

  @Spec
  @SuppressWarnings("NullAway.Init")
  private CommandSpec spec;

  @Override
  public Integer call() {
    var out = spec.commandLine().getOut();
    var checkup = Checkup.run();
    if (json) {
      out.println(Json.LINE.writeValueAsString(checkup));
    } else {
      checkup.findings().forEach(finding -> print(finding, out));
    }
    return checkup.libtorch() == null ? CANNOT_COMPUTE : 0;
  }

  private static void print(Finding finding, PrintWriter out) {
    out.printf("%s %-16s %s%n", finding.isFine() ? "✓" : "!", finding.subject(), finding.found());
    if (!finding.isFine()) {
      out.printf("  %-16s %s.%n", "", finding.advice());
    }
  }
}
