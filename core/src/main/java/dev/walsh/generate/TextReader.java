package dev.walsh.generate;

import dev.walsh.text.StreamingDecoder;
import dev.walsh.text.Tokenizer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Flow;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A reader of tokens who hands their text on as it grows, in whole characters. Where a document ends and the text goes on, a line says so; an
 * end that is the end of the text says nothing.
 */
public final class TextReader implements Flow.Subscriber<Integer> {
  /** The line that corpora separate documents by. */
  private static final String END_OF_TEXT = "\n<|endoftext|>\n";

  private final Tokenizer tokenizer;
  private final Consumer<String> text;
  private final StreamingDecoder decoder;
  private final CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
  private boolean ended;
  private Flow.@Nullable Subscription subscription;

  /** @param text whoever it throws at ends the reading */
  public TextReader(Tokenizer tokenizer, Consumer<String> text) {
    this.tokenizer = tokenizer;
    this.text = text;
    decoder = new StreamingDecoder(tokenizer);
  }

  @Override
  public void onSubscribe(Flow.Subscription given) {
    subscription = given;
    given.request(Long.MAX_VALUE);
  }

  @Override
  public void onNext(Integer token) {
    try {
      if (ended) text.accept(END_OF_TEXT);
      ended = token == tokenizer.endOfText();
      hand(ended ? decoder.finish() : decoder.next(token));
    } catch (RuntimeException error) {
      if (subscription != null) subscription.cancel();
      done.completeExceptionally(error);
    }
  }

  private void hand(String piece) {
    if (!piece.isEmpty()) text.accept(piece);
  }

  @Override
  public void onError(Throwable error) {
    done.completeExceptionally(error);
  }

  @Override
  public void onComplete() {
    try {
      hand(decoder.finish());
      done.complete(null);
    } catch (RuntimeException error) {
      done.completeExceptionally(error);
    }
  }

  /** Waits until all text is handed on; throws what the handing or the model threw. */
  public void await() {
    try {
      done.join();
    } catch (CompletionException error) {
      if (error.getCause() instanceof RuntimeException cause) throw cause;
      throw error;
    }
  }
}
