package dev.walsh.generate;

import dev.walsh.config.UserError;
import dev.walsh.generate.Generation.Ending;
import dev.walsh.model.DecodeState;
import dev.walsh.model.DecodeState.Span;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Download;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.SubmissionPublisher;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A model that goes on with many texts at once. A text that has ended leaves, and the next that waits enters, at any step (continuous batching,
 * Orca, OSDI 2022); prompts are read a chunk a step, so that the others go on meanwhile. What a text becomes depends on its request alone,
 * but for rounding.
 *
 * <p>One thread of its own runs the model. A text enters when the state has room for all that it may become, and so always comes to its end.
 * While the device computes a step, the host looks at the tokens of the step before; a text that turns out to have ended has then been
 * asked for one token more, which is dropped.
 *
 * <p>Readers run on threads of their own, virtual ones, and must not call libtorch. A reader who stops reading holds up nobody: his tokens
 * wait for him. A reader who cancels ends his text.
 */
public final class Generator implements AutoCloseable {
  private final Gpt model;
  private final DecodeState state;
  private final int chunk;
  private final DecodeBatch batch;
  private final Semaphore room;
  private final ExecutorService readers = Executors.newVirtualThreadPerTaskExecutor();
  private final LinkedBlockingQueue<Runnable> inbox = new LinkedBlockingQueue<>();
  private final Thread thread;
  // What follows is the thread's alone.
  private final ArrayDeque<Generation> waiting = new ArrayDeque<>();
  private final ArrayDeque<Generation> filling = new ArrayDeque<>();
  private final ArrayList<Generation> rows = new ArrayList<>();
  private final ArrayDeque<Asked> asked = new ArrayDeque<>();
  private volatile boolean closing;
  private volatile @Nullable Throwable failure;

  /** Tokens that the device was asked for, and whose they are. */
  private record Asked(List<Generation> whose, Download.Pending tokens) {}

  /**
   * Starts the thread.
   *
   * @param state of the model, nobody else's as long as this is open; closed by whoever made it
   * @param chunk how many tokens of prompts are read at most between two steps
   * @param queue how many requests may wait or run; further ones wait in {@link #submit}
   * @param graphs whether the GPU gets a step as one graph
   */
  public Generator(Gpt model, DecodeState state, int chunk, int queue, boolean graphs) {
    this.model = model;
    this.state = state;
    this.chunk = chunk;
    room = new Semaphore(queue);
    batch = new DecodeBatch(model, state, graphs);
    thread = Thread.ofPlatform().name("walsh-generator").start(this::run);
  }

  /** Asks for a text that nobody reads as it grows. */
  public Generation submit(Request request) throws InterruptedException {
    return submit(request, null);
  }

  /**
   * Asks for a text; waits where too many are asked for already.
   *
   * @param reader receives its tokens as they are made
   * @throws UserError where the model cannot do it
   */
  public Generation submit(Request request, Flow.@Nullable Subscriber<? super Integer> reader) throws InterruptedException {
    check(request);
    int most = request.most(model.config());
    room.acquire();
    SubmissionPublisher<Integer> publisher = null;
    if (reader != null) {
      publisher = new SubmissionPublisher<>(readers, most);
      publisher.subscribe(reader);
    }
    var generation = new Generation(request, most, publisher, () -> inbox.add(() -> {}));
    inbox.add(() -> waiting.add(generation));
    var failed = failure;
    if (closing || failed != null) generation.fail(new IllegalStateException("the generator has ended", failed));
    return generation;
  }

  /**
   * Whether the model can do what is asked for.
   *
   * @throws UserError where it cannot, with the reason
   */
  public void check(Request request) {
    request.check(model.config());
    int length = request.prompt().length + request.most(model.config()) - 1;
    if (!state.couldHold(length)) {
      throw new UserError("The request needs room for " + length
          + " tokens, more than the whole cache has; ask for fewer tokens or give the cache more memory");
    }
  }

  private void run() {
    try {
      while (!closing) {
        receive();
        try (var scope = Scope.withoutGradients()) {
          turn();
        }
      }
    } catch (RuntimeException | Error error) {
      failure = error;
    } finally {
      end();
    }
  }

  private void turn() {
    dropCancelled();
    admit();
    boolean busy = fill();
    if (!rows.isEmpty()) {
      step();
      busy = true;
    }
    // The newest tokens are left alone while there is other work.
    while (asked.size() > (busy ? 1 : 0))
      take(asked.removeFirst());
  }

  /** Waits for a request only if there is nothing else to do. */
  private void receive() {
    boolean idle = waiting.isEmpty() && filling.isEmpty() && rows.isEmpty() && asked.isEmpty();
    try {
      for (var message = idle ? inbox.take() : inbox.poll(); message != null; message = inbox.poll()) message.run();
    } catch (InterruptedException e) {
      closing = true;
    }
  }

  private void dropCancelled() {
    for (var queue : List.of(waiting, filling)) {
      for (Iterator<Generation> i = queue.iterator(); i.hasNext();) {
        var generation = i.next();
        if (!generation.isCancelled()) continue;
        i.remove();
        end(generation);
      }
    }
    for (int row = rows.size() - 1; row >= 0; row--) if (rows.get(row).isCancelled()) leave(row);
  }

  private void end(Generation generation) {
    if (generation.place() >= 0) state.release(generation.place());
    generation.place(-1);
    if (generation.isOver()) return;
    generation.end(Ending.CANCELLED);
    room.release();
  }

  /** In the order of arrival: a large request is not overtaken for ever by small ones. */
  private void admit() {
    for (var next = waiting.peek(); next != null; next = waiting.peek()) {
      int place = state.open();
      if (place < 0) return;
      if (!state.reserve(place, next.request().prompt().length + next.most() - 1)) {
        state.release(place);
        return;
      }
      next.place(place);
      filling.add(waiting.remove());
    }
  }

  /** Reads a chunk of prompts; false if there is none. */
  private boolean fill() {
    var spans = new ArrayList<Span>();
    var ends = new ArrayList<Long>();
    var ready = new ArrayList<Generation>();
    var tokens = new long[chunk];
    int count = 0;
    for (Iterator<Generation> i = filling.iterator(); i.hasNext() && count < chunk;) {
      var generation = i.next();
      var prompt = generation.request().prompt();
      int part = Math.min(chunk - count, prompt.length - generation.filled());
      for (int t = 0; t < part; t++) tokens[count++] = prompt[generation.filled() + t];
      spans.add(new Span(generation.place(), part));
      generation.fill(part);
      if (generation.filled() < prompt.length) break;
      i.remove();
      ready.add(generation);
      ends.add(count - 1L);
    }
    if (spans.isEmpty()) return false;
    try (var scope = Scope.withoutGradients()) {
      var hidden = model.hidden(onDevice(Arrays.copyOf(tokens, count)), state.extend(spans));
      if (ready.isEmpty()) return true;
      var last = hidden.index_select(0, onDevice(ends.stream().mapToLong(Long::longValue).toArray()));
      var entries = ready.stream().map(g -> new DecodeBatch.Entry(g.place(), g.request().sampling(), g.request().sequence(),
          g.request().prompt())).toList();
      int first = rows.size();
      rows.addAll(ready);
      asked.add(new Asked(ready, batch.enter(entries, last)));
      countAsked(first);
    }
    return true;
  }

  private Tensor onDevice(long[] values) {
    return Memory.tensor(values, values.length).to(model.device().options(Dtype.I64), false, false, null);
  }

  private void step() {
    asked.add(new Asked(List.copyOf(rows), batch.step()));
    countAsked(0);
  }

  /** Counts a token of each row from one on; those that were their texts' last end their rows. */
  private void countAsked(int from) {
    for (int row = rows.size() - 1; row >= from; row--) {
      var generation = rows.get(row);
      generation.ask();
      if (generation.asked() == generation.most()) leave(row);
    }
  }

  private void leave(int row) {
    var generation = rows.get(row);
    batch.leave(row);
    var last = rows.removeLast();
    if (row < rows.size()) rows.set(row, last);
    // The device reads and writes these pages no more: whoever has them next comes later in its order of time.
    state.release(generation.place());
    generation.place(-1);
    if (generation.isCancelled()) end(generation);
  }

  private void take(Asked answer) {
    var tokens = answer.tokens.await();
    for (int i = 0; i < tokens.length; i++) {
      var generation = answer.whose.get(i);
      if (generation.isOver()) continue;
      if (tokens[i] < 0) {
        generation.fail(new UserError(
            "The model's logits are not finite numbers, as after a training that diverged; choose an earlier checkpoint"));
      } else {
        generation.add((int) tokens[i]);
      }
      if (!generation.isOver()) continue;
      room.release();
      int row = rows.indexOf(generation);
      if (row >= 0) leave(row);
    }
  }

  /** Nobody waits for ever. */
  private void end() {
    var left = new ArrayList<>(rows);
    left.addAll(filling);
    left.addAll(waiting);
    asked.forEach(answer -> left.addAll(answer.whose));
    for (var message = inbox.poll(); message != null; message = inbox.poll()) message.run();
    left.addAll(waiting);
    for (var generation : left) {
      if (generation.place() >= 0) state.release(generation.place());
      generation.place(-1);
      if (generation.isOver()) continue;
      if (failure == null) {
        generation.end(Ending.CANCELLED);
      } else {
        generation.fail(new IllegalStateException("the generator has ended", failure));
      }
    }
    // Whoever waits in submit finds out.
    room.release(Integer.MAX_VALUE / 2);
    model.device().synchronize();
    batch.close();
  }

  /** Ends all texts where they are and the thread with them. */
  @Override
  public void close() {
    closing = true;
    inbox.add(() -> {});
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    readers.close();
    if (interrupted) Thread.currentThread().interrupt();
  }
}
