package dev.walsh.data;

import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.measure.Progress;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/**
 * Text made into a {@link Dataset}: every document is preceded by the end-of-text token, as in llm.c, and a part is held out for validation.
 * A first pass tokenizes on all cores into one temporary file; a second writes the shards. The memory needed does not grow with the text,
 * but for 16 bytes a document.
 *
 * @param corpus the text
 * @param out the folder of the dataset; it appears whole or not at all
 * @param tokenizer gpt2 or bytes
 * @param valFraction the fraction to hold out, from 0 to 0.5
 * @param shardTokens how many tokens a shard holds
 * @param force whether a dataset in the folder may be replaced
 */
public record Preparation(Corpus corpus, Path out, Tokenizer tokenizer, double valFraction, int shardTokens, boolean force) {
  public static final double DEFAULT_VAL_FRACTION = 0.01;
  public static final int DEFAULT_SHARD_TOKENS = 100_000_000;

  private static final String SPOOL = "tokens.tmp";

  public Preparation {
    if (!(valFraction >= 0 && valFraction <= 0.5)) {
      throw new UserError("The fraction to hold out is " + valFraction + ": give --val-fraction a number from 0 to 0.5.");
    }
    if (shardTokens < 1) {
      throw new UserError("A shard of " + shardTokens + " tokens cannot be: give --shard-tokens at least 1.");
    }
    if (corpus.hasFileIn(out)) {
      throw new UserError("The output folder " + out + " holds an input: choose an --out outside of the text.");
    }
  }

  /** With the usual fraction and shards, into a new folder. */
  public Preparation(Corpus corpus, Path out, Tokenizer tokenizer) {
    this(corpus, out, tokenizer, DEFAULT_VAL_FRACTION, DEFAULT_SHARD_TOKENS, false);
  }

  /**
   * What came of it.
   *
   * @param manifest what the dataset is made of
   * @param documents how many documents the text has
   * @param time how long it took
   */
  public record Result(Manifest manifest, long documents, Duration time) {
    /** The bytes of all text. */
    public long bytes() {
      return manifest.train().bytes() + manifest.val().bytes();
    }

    /** All tokens, those between documents included. */
    public long tokens() {
      return manifest.train().tokens() + manifest.val().tokens();
    }
  }

  /**
   * Makes the dataset. Bad input and a full disk are a UserError, and then, as after an interrupt, nothing half-written remains.
   *
   * @param progress counts the bytes of {@link Corpus#inputBytes}
   */
  public Result run(Progress progress) throws InterruptedException {
    long started = System.nanoTime();
    var needed = new Needed(corpus.inputBytes());
    try (var output = OutputFolder.create(out, force)) {
      Manifest manifest;
      long documents;
      try (var spool = new Spool(output.path().resolve(SPOOL))) {
        tokenize(spool, progress, needed);
        manifest = write(spool, output.path());
        documents = spool.documents();
      }
      manifest.write(output.path());
      output.commit();
      return new Result(manifest, documents, Duration.ofNanos(System.nanoTime() - started));
    } catch (IOException error) {
      throw new UserError(
          "Cannot write %s (%s): about %,d bytes are needed there, so make room or choose another --out; nothing half-written is left."
              .formatted(out, Disk.reason(error), needed.bytes()),
          error);
    }
  }

  /** The disk space needed, estimated from what the input has given so far: the temporary file and as much again for the shards. */
  private static final class Needed {
    private final long input;
    private long consumed;
    private long tokens;

    Needed(long input) {
      this.input = input;
    }

    long bytes() {
      double growth = input > 0 && consumed > 0 ? Math.max(1, (double) input / consumed) : 1;
      return (long) (2 * Character.BYTES * growth * tokens) + 2 * Shard.HEADER_BYTES;
    }
  }

  private void tokenize(Spool spool, Progress progress, Needed needed) throws IOException, InterruptedException {
    long[] text = {0};
    Pipeline.run(corpus, tokenizer, piece -> {
      needed.consumed = piece.consumed();
      needed.tokens += piece.tokens().length;
      if (piece.first()) {
        spool.startDocument(piece.hash());
        spool.append(tokenizer.endOfText());
      }
      spool.append(piece.tokens());
      text[0] += piece.bytes();
      progress.stepTo(piece.consumed());
      progress.note(text[0] / 1_000_000 + " MB of text");
    });
    spool.flush();
    if (spool.documents() == 0) {
      throw new UserError("There is no text in " + String.join(", ", corpus.names()) + ": give at least one file that is not empty.");
    }
  }

  private Manifest write(Spool spool, Path folder) throws IOException {
    var holdout = new Holdout(spool, valFraction);
    // Held-out ends of documents get an end-of-text token of their own, so that they do not run into each other.
    boolean tails = holdout.kind() == Manifest.HeldOut.TAILS;
    long held = 0;
    long added = 0;
    for (int document = 0; document < spool.documents(); document++) {
      long tokens = holdout.tokens(document);
      held += tokens;
      added += tails && tokens > 0 ? 1 : 0;
    }
    try (var train = new SplitWriter(folder, "train", tokenizer, spool.tokens() - held, shardTokens);
        var val = new SplitWriter(folder, "val", tokenizer, held + added, shardTokens)) {
      for (int document = 0; document < spool.documents(); document++) {
        long end = spool.start(document + 1);
        long cut = end - holdout.tokens(document);
        if (cut > spool.start(document)) {
          train.document(spool, spool.start(document), cut);
        }
        if (cut < end) {
          if (tails) {
            val.endOfText();
          }
          val.document(spool, cut, end);
        }
      }
      return new Manifest(tokenizer.name(), holdout.kind(), valFraction, corpus.names(), train.finish(), val.finish());
    }
  }
}
