package dev.walsh.model;

/**
 * Random numbers that are functions of a seed and a counter alone: the output function of SplitMix64 (Steele, Lea and Flood 2014) at each
 * count. What is made of them is the same on every machine, for ever, so that it need not be stored.
 */
final class CounterRandom {
  private static final long STEP = 0x9E3779B97F4A7C15L;

  private final long seed;

  CounterRandom(long seed) {
    this.seed = seed;
  }

  /** 64 random bits. */
  long bits(long count) {
    long z = seed + (count + 1) * STEP;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  /** +1 or −1. */
  int sign(long count) {
    return bits(count) < 0 ? -1 : 1;
  }

  /** A standard normal number by the method of Box and Muller, of the bits at twice the count and after it. */
  double normal(long count) {
    double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - uniform(2 * count)));
    return radius * StrictMath.cos(2 * Math.PI * uniform(2 * count + 1));
  }

  /** In [0, 1). */
  private double uniform(long count) {
    return (bits(count) >>> 11) * 0x1p-53;
  }
}
