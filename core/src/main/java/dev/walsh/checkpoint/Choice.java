package dev.walsh.checkpoint;

import dev.walsh.config.UserError;

/** Which checkpoint of a run is meant. */
public sealed interface Choice {
  /** The newest one that is sound. */
  record Latest() implements Choice {}

  /** The one of the lowest validation loss. */
  record Best() implements Choice {}

  /** The one of a step. */
  record Step(long step) implements Choice {}

  /** Reads {@code latest}, {@code best} or the number of a step. */
  static Choice parse(String text) {
    return switch (text) {
      case "latest" -> new Latest();
      case "best" -> new Best();
      default -> {
        if (!text.matches("\\d{1,18}"))
          throw new UserError("--step " + text + " is no checkpoint; use latest, best or the number of a step");
        yield new Step(Long.parseLong(text));
      }
    };
  }
}
