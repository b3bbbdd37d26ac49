package dev.walsh.data;

import dev.walsh.config.UserError;
import dev.walsh.files.Sha256;
import dev.walsh.text.MalformedTextException;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Tokenizes a corpus on all cores, in order and in bounded memory: one thread reads and unpacks, a pool tokenizes pieces, and the caller's
 * thread takes the results.
 */
final class Pipeline {
  private static final int PIECES_A_CORE = 4;

  /**
   * The tokens of a piece.
   *
   * @param hash a number in [0, 1) by the first {@link Splitter#HEAD} bytes of the document, or NaN where the piece does not begin one
   * @param bytes how long its text is
   * @param consumed as in {@link Piece}
   */
  @SuppressWarnings("ArrayRecordComponent") // Passed on, never compared.
  record Encoded(int[] tokens, double hash, int bytes, long consumed) {
    boolean first() {
      return !Double.isNaN(hash);
    }
  }

  /** Takes results in order. */
  interface Sink {
    void accept(Encoded piece) throws IOException;
  }

  private Pipeline() {}

  static void run(Corpus corpus, Tokenizer tokenizer, Sink sink) throws IOException, InterruptedException {
    int cores = Runtime.getRuntime().availableProcessors();
    var results = new ArrayBlockingQueue<Future<@Nullable Encoded>>(PIECES_A_CORE * cores);
    var pool = Executors.newFixedThreadPool(cores);
    var reader = Thread.ofPlatform().daemon().name("reader").start(() -> read(corpus, tokenizer, pool, results));
    try {
      for (Encoded piece; (piece = results.take().get()) != null;) {
        sink.accept(piece);
      }
    } catch (ExecutionException error) {
      throw rethrown(error.getCause());
    } finally {
      reader.interrupt();
      pool.shutdownNow();
    }
  }

  /** The end is a null among the results, and a failure to read stands in its place. */
  private static void read(Corpus corpus, Tokenizer tokenizer, ExecutorService pool, BlockingQueue<Future<@Nullable Encoded>> results) {
    try {
      CompletableFuture<@Nullable Encoded> end;
      try {
        corpus.read(piece -> results.put(pool.submit(() -> encode(piece, tokenizer))));
        end = CompletableFuture.completedFuture(null);
      } catch (RuntimeException | Error failure) {
        end = CompletableFuture.failedFuture(failure);
      }
      results.put(end);
    } catch (InterruptedException nobodyWaits) {
      // The caller has given up, and with it this thread's work.
    }
  }

  private static Encoded encode(Piece piece, Tokenizer tokenizer) {
    try {
      return new Encoded(tokenizer.encode(piece.text()), piece.first() ? hash(piece.text()) : Double.NaN, piece.text().length,
          piece.consumed());
    } catch (MalformedTextException error) {
      throw new UserError(
          "The text of %s is not UTF-8 at byte %,d, and the %s tokenizer needs that: convert it (iconv -t UTF-8) or use --tokenizer bytes."
              .formatted(piece.source(), piece.offset() + error.offset(), tokenizer.name()),
          error);
    }
  }

  private static double hash(byte[] text) {
    var digest = Sha256.digest();
    digest.update(text, 0, Math.min(text.length, Splitter.HEAD));
    return (ByteBuffer.wrap(digest.digest()).getLong() >>> 11) * 0x1p-53;
  }

  private static RuntimeException rethrown(@Nullable Throwable cause) {
    return switch (cause) {
      case RuntimeException error -> error;
      case Error error -> throw error;
      case null, default -> new IllegalStateException(cause);
    };
  }
}
