package dev.walsh.checkpoint;

import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * The checkpoints of a run: folders {@code step-00001000}, each written whole, under a manifest, and verified before it is trusted.
 *
 * <p>Beside what the trainer writes, a checkpoint holds {@code checkpoint.json} (its step and validation loss) and {@code manifest.json}.
 * Reading needs no lock; whoever saves holds the run's {@link RunLock}.
 */
public final class CheckpointStore {
  private static final String CARD = "checkpoint.json";
  private static final Pattern LEFTOVER = Pattern.compile("step-\\d+\\.tmp");

  private final Path run;
  private final int keep;
  private final Consumer<String> warnings;

  /**
   * The store of one run folder.
   *
   * @param keep how many of the newest checkpoints stay, at least 1; the one with the best validation loss stays as well
   * @param warnings receives a sentence about each damaged checkpoint that was passed over
   */
  public CheckpointStore(Path run, int keep, Consumer<String> warnings) {
    if (keep < 1) {
      throw new UserError("A run cannot keep " + keep + " checkpoints; keep at least 1");
    }
    this.run = run;
    this.keep = keep;
    this.warnings = warnings;
  }

  private record Card(long step, @Nullable Double validationLoss) {}

  /**
   * Saves a checkpoint, then deletes those that retention no longer keeps.
   *
   * @param validationLoss nats a token, empty where it was not measured
   * @param content writes the run's state into the new folder
   * @return the new checkpoint
   * @throws UserError where the disk is full or refuses, or a sound checkpoint of this step exists; all earlier checkpoints are then intact
   */
  public Checkpoint save(long step, OptionalDouble validationLoss, AtomicFolder.Content content) {
    var folder = run.resolve(StepFolder.name(step));
    try {
      if (!RunLock.isHeld(run)) {
        throw new IllegalStateException("saving to " + run + " without its lock");
      }
      deleteLeftovers();
      setAsideIfDamaged(folder);
    } catch (IOException error) {
      throw Disk.cannotWrite(folder, 0, error);
    }
    AtomicFolder.write(folder, files -> {
      files.json(CARD, new Card(step, validationLoss.isPresent() ? validationLoss.getAsDouble() : null));
      content.writeTo(files);
      files.manifest();
    });
    deleteOlder(step);
    return new Checkpoint(step, validationLoss, folder);
  }

  /** The complete checkpoints, oldest first: every file is there at its full size, but the content is not verified. */
  public List<Checkpoint> list() {
    var checkpoints = new ArrayList<Checkpoint>();
    for (var folder : folders()) {
      if (Manifest.isComplete(folder.path())) {
        read(folder).ifPresent(checkpoints::add);
      }
    }
    return checkpoints;
  }

  /** The newest checkpoint whose every byte is as it was written; damaged ones are passed over with a warning that names them. */
  public Optional<Checkpoint> latest() {
    for (var folder : folders().reversed()) {
      try {
        Manifest.verify(folder.path());
        return Optional
            .of(read(folder).orElseThrow(() -> new UserError(folder.path() + " holds the checkpoint of another step; rename it back")));
      } catch (UserError damaged) {
        warnings.accept(damaged.getMessage());
      }
    }
    return Optional.empty();
  }

  private List<StepFolder> folders() {
    if (!Files.isDirectory(run)) {
      return List.of();
    }
    try {
      return StepFolder.in(run);
    } catch (IOException error) {
      throw new UserError("Cannot read " + run + " (" + Disk.reason(error) + "); check its permissions", error);
    }
  }

  /** What a step folder says of itself; empty where that is not the step of its name. */
  private static Optional<Checkpoint> read(StepFolder folder) {
    try {
      var card = Json.PRETTY.readValue(Files.readAllBytes(folder.path().resolve(CARD)), Card.class);
      var loss = card.validationLoss == null ? OptionalDouble.empty() : OptionalDouble.of(card.validationLoss);
      return card.step == folder.step() ? Optional.of(new Checkpoint(card.step, loss, folder.path())) : Optional.empty();
    } catch (IOException | JacksonException unreadable) {
      return Optional.empty();
    }
  }

  private void deleteLeftovers() throws IOException {
    try (var paths = Files.list(run)) {
      for (var path : paths.filter(path -> LEFTOVER.matcher(path.getFileName().toString()).matches()).toList()) {
        Disk.deleteTree(path);
      }
    }
  }

  /** A damaged checkpoint must not stop a run that comes by its step again, but it is the user's to delete. */
  private void setAsideIfDamaged(Path folder) throws IOException {
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    try {
      Manifest.verify(folder);
    } catch (UserError damaged) {
      var aside = aside(folder);
      Files.move(folder, aside, StandardCopyOption.ATOMIC_MOVE);
      warnings.accept(damaged.getMessage() + "; it was set aside as " + aside);
    }
  }

  private static Path aside(Path folder) {
    for (int i = 1;; i++) {
      var aside = folder.resolveSibling(folder.getFileName() + ".damaged-" + i);
      if (!Disk.exists(aside)) {
        return aside;
      }
    }
  }

  /** Only checkpoints up to the one just saved count: a newer one may be damaged, and must not push out the only sound one. */
  private void deleteOlder(long saved) {
    var candidates = list().stream().filter(checkpoint -> checkpoint.step() <= saved).toList();
    var kept = new HashSet<>(candidates.subList(Math.max(0, candidates.size() - keep), candidates.size()));
    Checkpoint.best(candidates).ifPresent(kept::add);
    for (var checkpoint : candidates) {
      if (!kept.contains(checkpoint)) {
        try {
          AtomicFolder.delete(checkpoint.folder());
        } catch (IOException error) {
          warnings.accept("Cannot delete the old checkpoint " + checkpoint.folder() + " (" + Disk.reason(error) + "); delete it by hand");
        }
      }
    }
  }
}
