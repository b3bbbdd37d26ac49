package dev.walsh.generate;

import dev.walsh.model.Gpt;
import dev.walsh.model.KvCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.Pointer;

/**
 * Many requests of random length, rules and patience, a third of them cancelled at random, through one generator; and what they leave behind.
 */
public final class Soak {
  private static final int CHUNK = 64;
  private static final int QUEUE = 256;
  /** How often memory is counted; by the first time every size of batch has been prepared. */
  private static final int COUNTS = 10;
  private static final int MOST_TOKENS = 40;
  /** Hundredths of a second that pages may take to come back. */
  private static final int PATIENCE = 200;
  private static final double TEMPERATURE = 0.9;

  private Soak() {}

  /**
   * What a soak came to.
   *
   * @param cancelled requests that ended by it
   * @param leakedBytes that the cache still gives to sequences although all have ended; 0 unless something is wrong
   * @param memory after each tenth of the requests
   */
  public record Outcome(int requests, int cancelled, long tokens, double seconds, long leakedBytes, List<Memory> memory) {}

  /**
   * What is held after so many requests.
   *
   * @param residentBytes of the process
   * @param deviceBytes of the GPU in use; 0 on the CPU
   */
  public record Memory(int requests, long residentBytes, long deviceBytes) {}

  /**
   * Asks and cancels.
   *
   * @param places sequences at once
   * @throws java.util.concurrent.CompletionException where the model fails a request
   */
  public static Outcome run(Gpt model, int places, int requests, long seed, boolean graphs) throws InterruptedException {
    int context = model.config().context();
    // Less room than all places could use, so that requests also wait for pages.
    long room = Math.max(context, (long) places * context / 2);
    long start = System.nanoTime();
    try (var cache = KvCache.of(model, places, room, model.device().bytesAvailable());
        var generator = new Generator(model, cache, CHUNK, QUEUE, graphs)) {
      var random = new Random(seed);
      var count = new Count();
      var memory = new ArrayList<Memory>();
      for (int i = 0; i < COUNTS; i++) {
        int asked = requests * i / COUNTS;
        int next = requests * (i + 1) / COUNTS;
        ask(model, generator, next - asked, random, count);
        memory.add(new Memory(next, resident(), model.device().bytesInUse()));
      }
      double seconds = (System.nanoTime() - start) * 1e-9;
      // A text's end is told before its pages are given back.
      for (int i = 0; i < PATIENCE && cache.bytesInUse() != 0; i++) Thread.sleep(10);
      return new Outcome(requests, count.cancelled, count.tokens, seconds, cache.bytesInUse(), memory);
    }
  }

  private static final class Count {
    private int cancelled;
    private long tokens;

    void add(Generation.Result result) {
      if (result.ending() == Generation.Ending.CANCELLED) cancelled++;
      tokens += result.tokens().length;
    }
  }

  private static long resident() {
    // What Java no longer reaches is not what leaks.
    System.gc();
    return Pointer.physicalBytes();
  }

  private static void ask(Gpt model, Generator generator, int requests, Random random, Count count) throws InterruptedException {
    var config = model.config();
    var under = new ArrayList<Generation>();
    for (int i = 0; i < requests; i++) {
      var prompt = random.ints(1 + random.nextInt(Math.max(1, config.context() / 2)), 0, config.vocabulary()).toArray();
      var sampling = new Sampling(random.nextBoolean() ? 0 : TEMPERATURE, random.nextInt(50), 1 - random.nextDouble() / 2, 1, i);
      under.add(generator.submit(new Request(prompt, 1 + random.nextInt(MOST_TOKENS), random.nextInt(config.vocabulary()), sampling, i)));
      if (random.nextInt(3) == 0) under.get(random.nextInt(under.size())).cancel();
      if (under.size() == QUEUE) settle(under, count);
    }
    settle(under, count);
  }

  private static void settle(ArrayList<Generation> under, Count count) {
    for (var generation : under) count.add(generation.result().join());
    under.clear();
  }
}
