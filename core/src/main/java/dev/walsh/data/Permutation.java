package dev.walsh.data;

/**
 * A keyed permutation of 0 … size − 1 without a table: a Feistel network over the next even number of bits, applied again while the result
 * is not below the size (cycle walking; Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains"). The domain is less than four
 * times the size, so that takes less than four rounds on average.
 */
final class Permutation {
  private static final int ROUNDS = 6;
  /** The greatest domain whose elements are all positive. */
  private static final long MAX_SIZE = 1L << 62;

  private final long size;
  private final long key;
  private final int halfBits;
  private final long mask;

  Permutation(long size, long key) {
    if (size < 1 || size > MAX_SIZE) {
      throw new IllegalArgumentException("a permutation of " + size);
    }
    this.size = size;
    this.key = key;
    int bits = Long.SIZE - Long.numberOfLeadingZeros(size - 1);
    halfBits = Math.max(1, (bits + 1) / 2);
    mask = (1L << halfBits) - 1;
  }

  /** Where an index, from 0 to size − 1, is sent. */
  long apply(long index) {
    if (index < 0 || index >= size) {
      throw new IndexOutOfBoundsException(index + " of " + size);
    }
    long image = index;
    do {
      image = encrypt(image);
    } while (image >= size);
    return image;
  }

  private long encrypt(long value) {
    long left = value >>> halfBits;
    long right = value & mask;
    for (int round = 0; round < ROUNDS; round++) {
      long next = left ^ (mix(mix(key + round) + right) & mask);
      left = right;
      right = next;
    }
    return left << halfBits | right;
  }

  /** The output function of SplitMix64 (Steele, Lea and Flood 2014): every bit of the result depends on every bit of the argument. */
  static long mix(long value) {
    long z = value + 0x9E3779B97F4A7C15L;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }
}
