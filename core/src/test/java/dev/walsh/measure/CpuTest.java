package dev.walsh.measure;

import java.util.List;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

final class CpuTest {
  @Test
  void readsTheFirstCoreOfCpuinfo() {
    var lines = List.of("processor\t: 0", "model name\t: Xeon X", "flags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16 amx_tile", "",
        "processor\t: 1", "model name\t: Xeon Y", "flags\t\t: fpu avx2");
    var cpu = Cpu.read(lines, 2, 1L << 30, 512);
    assertThat(cpu.model()).isEqualTo("Xeon X");
    assertThat(cpu.instructions()).containsExactly("AVX2", "AVX-512", "AVX-512 BF16", "AMX BF16");
    assertThat(cpu.nativeBf16()).isTrue();
  }

  @Test
  void avx512AloneOnlyEmulatesBf16() {
    assertThat(Cpu.read(List.of("flags : avx2 avx512f"), 2, 1L << 30, 512).nativeBf16()).isFalse();
  }

  @Test
  void withoutCpuinfoTheArchitectureNamesTheModel() {
    var cpu = Cpu.read(List.of(), 8, 1L << 30, 128);
    assertThat(cpu.model()).isEqualTo(System.getProperty("os.arch"));
    assertThat(cpu.instructions()).isEmpty();
  }
}
