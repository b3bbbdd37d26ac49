package dev.walsh.bench;

import dev.walsh.kernels.wht.CpuWht;
import dev.walsh.kernels.wht.ElementType;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.kernels.wht.HadamardOrder;
import dev.walsh.kernels.wht.Wht;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
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
 * Time of 256 MiB of rows, beyond any cache, on all cores, beside what bounds it: in place a loop that scales the same bytes, out of place
 * a loop that copies them (and the JDK's own copy, whose stores bypass the cache).
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgs = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
public class TransformInMemory {
  private static final long BYTES = 256L << 20;
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;

  @Param({"256", "512", "768", "1024", "1536", "2048", "2560", "3072", "4096", "8192", "16384"})
  int width;

  @Param({"F32"})
  ElementType type;

  private CpuWht wht;
  private MemorySegment in;
  private MemorySegment out;
  private long rows;
  private int threads;

  @Setup
  public void setUp() {
    threads = Runtime.getRuntime().availableProcessors();
    wht = Wht.create(HadamardFactors.of(HadamardOrder.of(width)));
    rows = BYTES / ((long) width * type.bytes());
    in = Arena.global().allocate(BYTES, 64);
    out = Arena.global().allocate(BYTES, 64);
    in.fill((byte) 0);
    out.fill((byte) 0);
  }

  @Benchmark
  public void transformInPlace() {
    wht.transform(type, Wht.Direction.FORWARD, rows, in, in);
  }

  @Benchmark
  public void scaleInPlace() {
    inParallel((from, bytes) -> scale(in.asSlice(from, bytes)));
  }

  @Benchmark
  public void transformOutOfPlace() {
    wht.transform(type, Wht.Direction.FORWARD, rows, in, out);
  }

  @Benchmark
  public void copyLoop() {
    inParallel((from, bytes) -> copy(in.asSlice(from, bytes), out.asSlice(from, bytes)));
  }

  @Benchmark
  public void jdkCopy() {
    inParallel((from, bytes) -> out.asSlice(from, bytes).copyFrom(in.asSlice(from, bytes)));
  }

  private interface Part {
    void run(long from, long bytes);
  }

  private void inParallel(Part part) {
    long bytes = BYTES / threads / 64 * 64;
    IntStream.range(0, threads).parallel().forEach(i -> part.run(i * bytes, bytes));
  }

  /** As the copy below, a loop with {@code !=}: the JIT compiler splits one that it can count, and it may stream at half the rate. */
  private static void scale(MemorySegment segment) {
    for (long i = 0, n = segment.byteSize(); i != n; i += S.vectorByteSize()) {
      FloatVector.fromMemorySegment(S, segment, i, ByteOrder.nativeOrder()).mul(0.5f).intoMemorySegment(segment, i,
          ByteOrder.nativeOrder());
    }
  }

  private static void copy(MemorySegment from, MemorySegment to) {
    for (long i = 0, n = from.byteSize(); i != n; i += S.vectorByteSize()) {
      FloatVector.fromMemorySegment(S, from, i, ByteOrder.nativeOrder()).intoMemorySegment(to, i, ByteOrder.nativeOrder());
    }
  }
}
