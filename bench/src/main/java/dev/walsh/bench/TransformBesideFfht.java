package dev.walsh.bench;

import dev.walsh.kernels.wht.CpuWht;
import dev.walsh.kernels.wht.ElementType;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.kernels.wht.HadamardOrder;
import dev.walsh.kernels.wht.Wht;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Time of one float32 row in cache, in place, on one core, ours (scaled by 1/√d) beside FFHT's (not scaled), 64 calls at a time.
 *
 * <p>FFHT is FALCONN-LIB/FFHT on GitHub, built in its folder by {@code gcc -O3 -march=native -std=c99 -shared -fPIC fht.c fast_copy.c -o
 * libffht.so} and named by {@code -jvmArgsAppend -Dffht=/path/to/libffht.so}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 6, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 3, jvmArgs = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
public class TransformBesideFfht {
  private static final int CALLS = 64;

  /** Constant, or the JIT compiler would not make a plain call of it. */
  private static final MethodHandle FHT_FLOAT = fhtFloat();

  @Param({"8", "9", "10", "11", "12", "13", "14", "15", "16"})
  int log2;

  private CpuWht wht;
  private MemorySegment row;

  private static MethodHandle fhtFloat() {
    var library = System.getProperty("ffht");
    if (library == null) {
      throw new IllegalStateException("name the library that was built from FFHT: -jvmArgsAppend -Dffht=/path/to/libffht.so");
    }
    var function = SymbolLookup.libraryLookup(Path.of(library), Arena.global()).find("fht_float").orElseThrow();
    var signature = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
    return Linker.nativeLinker().downcallHandle(function, signature, Linker.Option.critical(false));
  }

  @Setup
  public void setUp() {
    wht = Wht.create(HadamardFactors.of(HadamardOrder.of(1 << log2)), 1 / Math.sqrt(1 << log2), 1);
    row = Arena.global().allocate((long) Float.BYTES << log2, 64);
  }

  @Benchmark
  @OperationsPerInvocation(CALLS)
  public void walsh() {
    for (int i = 0; i < CALLS; i++) {
      wht.transform(ElementType.F32, Wht.Direction.FORWARD, 1, row, row);
    }
  }

  @Benchmark
  @OperationsPerInvocation(CALLS)
  public int ffht() throws Throwable {
    int failures = 0;
    for (int i = 0; i < CALLS; i++) {
      failures += (int) FHT_FLOAT.invokeExact(row, log2);
    }
    return failures;
  }
}
