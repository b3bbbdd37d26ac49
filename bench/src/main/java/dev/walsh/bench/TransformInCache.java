package dev.walsh.bench;

import dev.walsh.kernels.wht.CpuWht;
import dev.walsh.kernels.wht.ElementType;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.kernels.wht.HadamardOrder;
import dev.walsh.kernels.wht.Wht;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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

/** Time of one row, in place, on one core, with the row in cache. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgs = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
public class TransformInCache {
  @Param({"64", "256", "512", "768", "1024", "1536", "2048", "2560", "3072", "4096", "8192", "16384", "32768", "65536"})
  int width;

  @Param({"F32"})
  ElementType type;

  private CpuWht wht;
  private MemorySegment row;

  @Setup
  public void setUp() {
    var factors = HadamardFactors.of(HadamardOrder.of(width));
    wht = Wht.create(factors, 1 / Math.sqrt(width), 1);
    row = Arena.global().allocate((long) width * type.bytes(), 64);
    row.set(ValueLayout.JAVA_BYTE, 1, (byte) 1);
  }

  @Benchmark
  public void inPlace() {
    wht.transform(type, Wht.Direction.FORWARD, 1, row, row);
  }
}
