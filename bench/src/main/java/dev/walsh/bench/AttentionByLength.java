package dev.walsh.bench;

import dev.walsh.kernels.hla.FeatureMap.Softplus;
import dev.walsh.kernels.hla.Form;
import dev.walsh.kernels.hla.Hla;
import dev.walsh.kernels.hla.HlaSpec;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Time of Hadamard linear attention for 65,536 tokens, in sequences of one length after another: the same at every length where the work is
 * linear in it, and as long, so that other work on the machine falls on all alike. 2 factors of 16 features, one head of 64 channels, float32; on request
 * beside all pairs of tokens, and libtorch's softmax attention.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 1)
@Measurement(iterations = 5)
@Fork(value = 1, jvmArgs = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
public class AttentionByLength {
  private static final long TOKENS = 65_536;
  private static final int HEADS = 1;
  private static final int HEAD_WIDTH = 64;

  /** What attends. */
  public enum Kind {
    LINEAR(Form.LINEAR), QUADRATIC(Form.QUADRATIC), CHUNKED(Form.CHUNKED), QUADRATIC_CAUSAL(Form.QUADRATIC), SOFTMAX(null),
    SOFTMAX_CAUSAL(null);

    final @Nullable Form form;

    Kind(@Nullable Form form) {
      this.form = form;
    }

    boolean isCausal() {
      return this == CHUNKED || this == QUADRATIC_CAUSAL || this == SOFTMAX_CAUSAL;
    }
  }

  @Param({"LINEAR", "CHUNKED"})
  Kind kind;

  @Param({"2048", "4096", "8192", "16384", "32768", "65536"})
  long length;

  private Hla hla;
  private Tensor q;
  private Tensor k;
  private Tensor v;

  @Setup
  public void setUp() {
    var spec = HlaSpec.of(HEADS, HEAD_WIDTH, kind.isCausal(), List.of(new Softplus(16), new Softplus(16)));
    hla = new Hla(spec, new Weights(Device.CPU, Dtype.F32, 0).at("attention"));
    q = leaf();
    k = leaf();
    v = leaf();
  }

  private Tensor leaf() {
    return torch.randn(1, HEADS, length, HEAD_WIDTH).set_requires_grad(true);
  }

  private Tensor attend() {
    if (kind.form != null) return hla.apply(kind.form, q, k, v, null);
    return torch.scaled_dot_product_attention(q, k, v, new TensorOptional(), 0, kind.isCausal(), new DoubleOptional(), false);
  }

  @Benchmark
  public void forward() {
    for (long done = 0; done < TOKENS; done += length) {
      try (var scope = dev.walsh.tensor.Scope.withoutGradients()) {
        attend();
      }
    }
  }

  @Benchmark
  public void forwardAndBackward() {
    for (long done = 0; done < TOKENS; done += length) {
      try (var scope = dev.walsh.tensor.Scope.open()) {
        attend().sum().backward();
      }
    }
  }
}
