package dev.walsh.bench;

import dev.walsh.kernels.wht.ElementType;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.kernels.wht.HadamardJoin;
import dev.walsh.kernels.wht.HadamardOrder;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
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

/** Time of the fused operator on 16,384 rows, on all cores, beside a copy of as many bytes as its forward pass moves. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgs = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
public class JoinInMemory {
  private static final int ROWS = 16384;

  /** Which form of the operator runs. */
  public enum Form {
    FULL, FOLDED
  }

  /** Width and heads. */
  @Param({"768/12", "1024/16", "1536/16", "2560/20"})
  String shape;

  @Param({"F32", "BF16"})
  ElementType type;

  @Param({"FULL", "FOLDED"})
  Form form;

  private HadamardJoin join;
  private MemorySegment[] matrices;
  private HadamardJoin.Weights weights;
  private HadamardJoin.Weights gradients;

  @Setup
  public void setUp() {
    int slash = shape.indexOf('/');
    int d = Integer.parseInt(shape.substring(0, slash));
    int heads = Integer.parseInt(shape.substring(slash + 1));
    join = form == Form.FULL
        ? HadamardJoin.full(HadamardFactors.of(d, heads), 1e-5)
        : HadamardJoin.folded(HadamardOrder.of(heads), d / heads, 1e-5);
    matrices = new MemorySegment[8];
    for (int i = 0; i < matrices.length; i++) {
      matrices[i] = Arena.global().allocate((long) ROWS * d * type.bytes(), 64).fill((byte) 0);
    }
    weights = vectors(d);
    gradients = vectors(d);
  }

  private static HadamardJoin.Weights vectors(int d) {
    return new HadamardJoin.Weights(vector(d), vector(d), vector(d));
  }

  private static MemorySegment vector(int d) {
    return Arena.global().allocate((long) d * Float.BYTES, 64).fill((byte) 0);
  }

  @Benchmark
  public void forward() {
    join.forward(type, ROWS, matrices[0], matrices[1], weights, matrices[2], matrices[3]);
  }

  @Benchmark
  public void backward() {
    join.backward(type, ROWS, matrices[0], matrices[2], weights, matrices[4], matrices[5], matrices[6], matrices[7], gradients);
  }

  @Benchmark
  public void copyOfTheForwardBytes() {
    matrices[2].copyFrom(matrices[0]);
    matrices[3].copyFrom(matrices[1]);
  }
}
