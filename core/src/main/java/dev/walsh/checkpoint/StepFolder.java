package dev.walsh.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/** A folder that is a checkpoint by its name, {@code step-00001000}; its content may be damaged. */
record StepFolder(long step, Path path) {
  private static final Pattern NAME = Pattern.compile("step-(\\d{8,18})");

  static String name(long step) {
    return String.format(Locale.ROOT, "step-%08d", step);
  }

  /** The step folders of a run, oldest first. */
  static List<StepFolder> in(Path run) throws IOException {
    try (var paths = Files.list(run)) {
      return paths.flatMap(path -> parse(path).stream()).filter(step -> Files.isDirectory(step.path, LinkOption.NOFOLLOW_LINKS))
          .sorted(Comparator.comparingLong(StepFolder::step)).toList();
    }
  }

  /** The newest complete checkpoint beside this one that is older. */
  static Optional<StepFolder> before(Path folder) {
    var here = folder.toAbsolutePath();
    var run = here.getParent();
    var own = parse(here);
    if (run == null || own.isEmpty()) {
      return Optional.empty();
    }
    try {
      return in(run).reversed().stream().filter(other -> other.step < own.get().step && Manifest.isComplete(other.path)).findFirst();
    } catch (IOException unreadable) {
      return Optional.empty();
    }
  }

  private static Optional<StepFolder> parse(Path path) {
    var name = NAME.matcher(path.getFileName().toString());
    return name.matches() ? Optional.of(new StepFolder(Long.parseLong(name.group(1)), path)) : Optional.empty();
  }
}
