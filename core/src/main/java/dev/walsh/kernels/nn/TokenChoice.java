package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Download;
import dev.walsh.tensor.Dtype;
import org.bytedeco.pytorch.Tensor;

/**
 * The choice of the next token of each row from its logits, on the device. In this order:
 *
 * <ol>
 * <li>the logits of tokens seen before are divided by the penalty where positive, else multiplied by it (arXiv 1909.05858);
 * <li>temperature 0 takes the likeliest token, the first of equals; any other divides the logits;
 * <li>top-k lets in the k likeliest tokens;
 * <li>top-p lets in the fewest likeliest of those that hold the share p of their probability together (arXiv 1904.09751);
 * <li>of all let in, in the order of their ids, that one is chosen in which the random number's share of their probability falls.
 * </ol>
 *
 * <p>A token as likely as the last that is let in is let in too, so nothing depends on the order of equals. The random number is the output of
 * SplitMix64 (Steele, Lea and Flood 2014) whose seed is the row's key, at the count of its position: the same on every device, and whatever
 * other rows there are.
 */
public final class TokenChoice {
  /** The numbers of a row's rules: the key, top-k, and the bits of temperature, top-p and penalty as doubles. */
  public static final int FIELDS = 5;

  static final int KEY = 0;
  static final int TOP_K = 1;
  static final int TEMPERATURE = 2;
  static final int TOP_P = 3;
  static final int PENALTY = 4;

  private static final KernelCache<Shape, Kernel> KERNELS = new KernelCache<>("Choices of tokens", Kernel::new);

  private TokenChoice() {}

  /**
   * The numbers of a row's rules, as {@link #apply} reads them.
   *
   * @param key of the random numbers; see {@link #key}
   * @param topK how many of the likeliest tokens are let in, 0 for all
   * @param temperature not negative
   * @param topP above 0; 1 lets in all
   * @param penalty above 0; 1 for none
   */
  public static long[] rules(long key, int topK, double temperature, double topP, double penalty) {
    return new long[] {key, topK, Double.doubleToRawLongBits(temperature), Double.doubleToRawLongBits(topP),
        Double.doubleToRawLongBits(penalty)};
  }

  /** The key of a sequence's random numbers: different for sequences of different seeds, or of one seed and different numbers. */
  public static long key(long seed, long sequence) {
    return mix(mix(seed) + sequence * CpuTokenChoice.STEP);
  }

  /** SplitMix64's output function. */
  static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  /**
   * Chooses.
   *
   * @param logits (B,V), contiguous
   * @param tokens how many columns, the first ones, stand for tokens
   * @param rules (FIELDS,B) int64, its rows contiguous
   * @param positions (B) int64, contiguous: counts of each row's random numbers
   * @param seen (B,V) bytes, contiguous: 1 for tokens to be penalised; where a row has a penalty, its token becomes one
   * @param ids (B) int64, contiguous, written: the tokens; 0 where logits are not finite
   * @param made ({@link Download#TURNS},B) int64 of the host, its rows contiguous, written: the same, −1 where logits are not finite, each in the row
   *     of its turn
   * @param turns (B) int64, contiguous: how many tokens a row has been given before; each becomes one more
   */
  public static void apply(Tensor logits, int tokens, Tensor rules, Tensor positions, Tensor seen, Tensor ids, Tensor made, Tensor turns) {
    if (logits.size(0) == 0) return;
    var kernel = KernelText.covers(logits) ? KERNELS.of(Shape.of(logits, tokens)) : null;
    if (kernel == null) {
      CpuTokenChoice.apply(logits, tokens, rules, positions, seen, ids, made, turns);
    } else {
      kernel.run(logits, rules, positions, seen, ids, made, turns);
    }
  }

  private record Shape(Dtype dtype, int vocabulary, int tokens, int threads) {
    private static final int THREADS = 1024;
    /** With more rows than multiprocessors, two blocks a multiprocessor do not wait at the same time. */
    private static final int THREADS_OF_MANY = 512;
    private static final int MANY = 128;

    static Shape of(Tensor logits, int tokens) {
      return new Shape(Dtype.of(logits), (int) logits.size(1), tokens, logits.size(0) > MANY ? THREADS_OF_MANY : THREADS);
    }
  }

  /** {@code token_choice.cu} for one shape. */
  private static final class Kernel {
    private final int threads;
    private final CudaModule.Kernel kernel;

    Kernel(Shape shape) {
      threads = shape.threads;
      int vector = KernelText.vector(shape.dtype, shape.vocabulary);
      kernel = KernelText.compile("token_choice", shape.dtype, vector, "VOCABULARY=" + shape.vocabulary, "TOKENS=" + shape.tokens,
          "THREADS=" + threads, "TURNS=" + Download.TURNS).kernel("token_choice", 0);
    }

    void run(Tensor logits, Tensor rules, Tensor positions, Tensor seen, Tensor ids, Tensor made, Tensor turns) {
      kernel.launchEarly((int) logits.size(0), threads, CudaModule.argument(logits), CudaModule.argument(rules), rules.stride(0),
          CudaModule.argument(positions), CudaModule.argument(seen), CudaModule.argument(ids), CudaModule.argument(made), made.stride(0),
          CudaModule.argument(turns));
    }
  }
}
