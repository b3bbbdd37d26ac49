package dev.walsh.generate;

import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.SubmissionPublisher;
import org.jspecify.annotations.Nullable;

/** A text that a {@link Generator} is going on with, or has ended. */
public final class Generation {
  /** Why a text ended. */
  public enum Ending {
    /** As many tokens as were asked for are made. */
    LENGTH,
    /** The model chose the token that ends the text. */
    STOP,
    /** The model sees no more tokens. */
    CONTEXT,
    /** It was cancelled, by its handle or by its reader. */
    CANCELLED
  }

  /** What came of it: the tokens, the one that ended it included, and why it ended. */
  public record Result(int[] tokens, Ending ending) {}

  private final Request request;
  private final int most;
  private final @Nullable SubmissionPublisher<Integer> publisher;
  private final CompletableFuture<Result> result = new CompletableFuture<>();
  private final Runnable wake;
  private volatile boolean cancelled;
  // What follows is the generator's thread's alone.
  private int[] tokens = new int[16];
  private int count;
  private int filled;
  private int asked;
  private int place = -1;

  Generation(Request request, int most, @Nullable SubmissionPublisher<Integer> publisher, Runnable wake) {
    this.request = request;
    this.most = most;
    this.publisher = publisher;
    this.wake = wake;
  }

  /** Ends the text where it is, soon. */
  public void cancel() {
    cancelled = true;
    wake.run();
  }

  /** Completed when the text has ended; with a {@link dev.walsh.config.UserError} where the model could not go on with it. */
  public CompletableFuture<Result> result() {
    return result;
  }

  Request request() {
    return request;
  }

  /** The tokens that it can come to. */
  int most() {
    return most;
  }

  int place() {
    return place;
  }

  void place(int newPlace) {
    place = newPlace;
  }

  /** The tokens of the prompt that the model has seen. */
  int filled() {
    return filled;
  }

  void fill(int more) {
    filled += more;
  }

  /** The tokens that the device has been asked for; not all of them need be here yet. */
  int asked() {
    return asked;
  }

  void ask() {
    asked++;
  }

  boolean isOver() {
    return result.isDone();
  }

  boolean isCancelled() {
    return cancelled || publisher != null && !publisher.hasSubscribers();
  }

  /** Takes a token, and ends the text if it is the last. */
  void add(int token) {
    if (count == tokens.length) tokens = Arrays.copyOf(tokens, 2 * count);
    tokens[count++] = token;
    // There is room for all tokens: a reader who stops reading holds up nobody.
    if (publisher != null) publisher.offer(token, null);
    if (token == request.stop()) {
      end(Ending.STOP);
    } else if (count == most) {
      end(count == request.tokens() ? Ending.LENGTH : Ending.CONTEXT);
    }
  }

  void end(Ending ending) {
    if (publisher != null) publisher.close();
    result.complete(new Result(Arrays.copyOf(tokens, count), ending));
  }

  void fail(Throwable error) {
    if (publisher != null) publisher.closeExceptionally(error);
    result.completeExceptionally(error);
  }
}
