package dev.walsh.data;

import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.files.Sha256;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A folder of token shards: with a {@code dataset.json} the shards that it lists, and without one, as other programs leave it, all
 * {@code *train*.bin} and {@code *val*.bin} in the order of their names, taken as GPT-2's tokens.
 */
public final class Dataset implements AutoCloseable {
  private static final String SUFFIX = ".bin";

  private final Path folder;
  private final @Nullable Manifest manifest;
  private final Tokenizer tokenizer;
  private final Arena arena;
  private final Split train;
  private final Split val;

  private Dataset(Path folder, @Nullable Manifest manifest, Arena arena) throws IOException {
    this.folder = folder;
    this.manifest = manifest;
    this.arena = arena;
    tokenizer = Tokenizer.of(manifest == null ? "gpt2" : manifest.tokenizer());
    if (manifest == null) {
      train = split("train", shards(name -> name.contains("train")));
      val = split("validation", shards(name -> name.contains("val") && !name.contains("train")));
    } else {
      train = split("train", manifest.train());
      val = split("validation", manifest.val());
    }
  }

  /**
   * Opens a dataset and checks its shards: their headers, lengths, tokens, and with a {@code dataset.json} their counts, but not their
   * checksums. What is missing or wrong is a UserError that names the file.
   */
  public static Dataset open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new UserError("There is no dataset folder " + folder + ": make one with walsh prepare INPUT --out " + folder + ".");
    }
    var arena = Arena.ofShared();
    try {
      var dataset = new Dataset(folder, Files.exists(folder.resolve(Manifest.FILE)) ? Manifest.read(folder) : null, arena);
      if (dataset.train.tokens() + dataset.val.tokens() == 0) {
        throw new UserError(
            "The folder %s has no tokens in files named *train*.bin or *val*.bin: make some with walsh prepare INPUT --out DIR.".formatted(
                folder));
      }
      return dataset;
    } catch (IOException error) {
      arena.close();
      throw new UserError("Cannot read the folder %s (%s): check the path and the permissions.".formatted(folder, Disk.reason(error)),
          error);
    } catch (RuntimeException error) {
      arena.close();
      throw error;
    }
  }

  private List<Shard> shards(Predicate<String> chosen) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> name(file).endsWith(SUFFIX) && chosen.test(name(file))).sorted().map(this::shard).toList();
    }
  }

  private static String name(Path file) {
    return file.getFileName().toString();
  }

  private Shard shard(Path file) {
    return Shard.open(file, tokenizer.vocabulary(), arena);
  }

  private Split split(String name, List<Shard> shards) {
    return new Split(name + " split of " + folder, shards);
  }

  private Split split(String name, Manifest.Part part) {
    var shards = new ArrayList<Shard>();
    for (var entry : part.shards()) {
      var file = folder.resolve(entry.file());
      if (!Files.exists(file)) {
        throw new UserError(
            "The shard %s, which %s lists, is missing: put it back, or run walsh prepare again.".formatted(file, Manifest.FILE));
      }
      var shard = shard(file);
      if (shard.count() != entry.tokens()) {
        throw new UserError(
            "The shard %s has %d tokens where %s says %d: put the right file back, or run walsh prepare again.".formatted(file,
                shard.count(), Manifest.FILE, entry.tokens()));
      }
      shards.add(shard);
    }
    return split(name, shards);
  }

  /** Reads all shards again and compares their checksums with {@code dataset.json}; one that differs is a UserError. */
  public void verify() {
    if (manifest == null) {
      throw new UserError(
          "The folder %s has no %s to verify its shards with: make the dataset with walsh prepare.".formatted(folder, Manifest.FILE));
    }
    Stream.concat(manifest.train().shards().stream(), manifest.val().shards().stream()).forEach(entry -> {
      var file = folder.resolve(entry.file());
      try {
        if (!Sha256.of(file).equals(entry.sha256())) {
          throw new UserError(
              "The shard %s is not the one that %s describes (its SHA-256 differs): put the right file back, or run walsh prepare again."
                  .formatted(file, Manifest.FILE));
        }
      } catch (IOException error) {
        throw new UserError("Cannot read the shard %s (%s): check the disk and the permissions.".formatted(file, Disk.reason(error)),
            error);
      }
    });
  }

  /** The tokenizer that its tokens come from. */
  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /** What is known of how it was made; null where another program made it. */
  public @Nullable Manifest manifest() {
    return manifest;
  }

  /** The tokens to train on; empty where the folder has none. */
  public Split train() {
    return train;
  }

  /** The tokens held out for validation; empty where the folder has none. */
  public Split val() {
    return val;
  }

  /** Unmaps the shards; its splits must not be read any more. */
  @Override
  public void close() {
    arena.close();
  }
}
