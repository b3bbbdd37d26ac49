package dev.walsh.generate;

import dev.walsh.model.Gpt;
import dev.walsh.model.KvCache;
import java.util.ArrayList;
import java.util.Random;
import org.bytedeco.javacpp.Pointer;

/**
 * Many requests of random length, rules and patience, a third of them cancelled at random, through one generator; and what they leave behind.
 */
public final class Soak {
  private static final int CHUNK = 64;
  private static final int QUEUE = 256;
  /** The share of requests before the first count of memory: by then every size of batch has been prepared. */
  private static final int WARM_UP = 10;
  private static final int MOST_TOKENS = 40;
  /** Hundredths of a second that pages may take to come back. */
  private static final int PATIENCE = 200;
  private static final double TEMPERATURE = 0.9;

  private Soak() {}

  /**
   * What a soak came to.
   *
   * @param requests all of them, those before the first count included
   * @param cancelled those that ended by it
   * @param leakedBytes that the cache still gives to sequences although all have ended; 0 unless something is wrong
   * @param residentBefore bytes of the process at the first count
   * @param residentAfter and at the end
   * @param deviceBefore bytes of the GPU in use at the first count; 0 on the CPU
   * @param deviceAfter and at the end
   */
  public record Outcome(int requests, int cancelled, long tokens, double seconds, long leakedBytes, long residentBefore, long residentAfter,
      long deviceBefore, long deviceAfter) {}

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
      int first = requests / WARM_UP;
      ask(model, generator, first, random, count);
      long resident = resident();
      long device = model.device().bytesInUse();
      ask(model, generator, requests - first, random, count);
      double seconds = (System.nanoTime() - start) * 1e-9;
      // A text's end is told before its pages are given back.
      for (int i = 0; i < PATIENCE && cache.bytesInUse() != 0; i++) Thread.sleep(10);
      return new Outcome(requests, count.cancelled, count.tokens, seconds, cache.bytesInUse(), resident, resident(), device, model.device()
          .bytesInUse());
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
