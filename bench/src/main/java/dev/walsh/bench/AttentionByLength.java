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
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
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

/** Time of Hadamard linear attention by length: 2 factors of 16 features, 2 heads of 64 channels, float32. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 1, time = 2)
@Measurement(iterations = 3, time = 3)
@Fork(value = 1, jvmArgs = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
public class AttentionByLength {
  private static final int HEADS = 2;
  private static final int HEAD_WIDTH = 64;

  @Param({"LINEAR", "CHUNKED"})
  Form form;

  @Param({"2048", "4096", "8192", "16384", "32768", "65536"})
  long length;

  private Hla hla;
  private Tensor q;
  private Tensor k;
  private Tensor v;

  @Setup
  public void setUp() {
    var spec = HlaSpec.of(HEADS, HEAD_WIDTH, form == Form.CHUNKED, List.of(new Softplus(16), new Softplus(16)));
    hla = new Hla(spec, new Weights(Device.CPU, Dtype.F32, 0).at("attention"));
    q = leaf();
    k = leaf();
    v = leaf();
  }

  private Tensor leaf() {
    return torch.randn(1, HEADS, length, HEAD_WIDTH).set_requires_grad(true);
  }

  @Benchmark
  public void forward() {
    try (var scope = dev.walsh.tensor.Scope.withoutGradients()) {
      hla.apply(form, q, k, v, null);
    }
  }

  @Benchmark
  public void forwardAndBackward() {
    try (var scope = dev.walsh.tensor.Scope.open()) {
      hla.apply(form, q, k, v, null).sum().backward();
    }
  }
}
