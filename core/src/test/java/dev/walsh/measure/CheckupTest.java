package dev.walsh.measure;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

final class CheckupTest {
  private static final Cpu MODERN = new Cpu("EPYC", 2, 24L << 30, List.of("AVX2", "AVX-512", "AVX-512 BF16"), 512);
  private static final Cpu OLD = new Cpu("Core", 4, 8L << 30, List.of("AVX2"), 0);
  private static final Gpu H100 = new Gpu("NVIDIA H100", 80L << 30, "580.65.06", "9.0");
  private static final Libtorch CPU = new Libtorch("2.10.0", "cpu", "AVX512", 2, 2, 0, "");
  private static final Libtorch CUDA = new Libtorch("2.10.0", "cuda", "AVX512", 2, 2, 1, "");

  @Test
  void aGpuInUseIsFine() {
    assertThat(gpu(CUDA, H100).isFine()).isTrue();
    assertThat(gpu(CUDA, H100).found()).isEqualTo("NVIDIA H100, 80 GiB, driver 580.65.06, compute capability 9.0");
  }

  @Test
  void eachWayToMissTheGpuHasItsFix() {
    assertThat(gpu(CPU).advice()).contains("everything runs on the CPU");
    assertThat(gpu(CPU, H100).advice()).contains("WALSH_NATIVES=cuda");
    assertThat(gpu(new Libtorch("2.10.0", "cuda", "AVX512", 2, 2, 0, "libcudnn.so.9: cannot open"), H100).advice())
        .contains("libcudnn.so.9", "LD_LIBRARY_PATH");
    assertThat(gpu(CUDA, new Gpu("A100", 40L << 30, "550.54", "8.0")).advice()).contains("install 580 or newer");
    assertThat(gpu(CUDA, new Gpu("V100", 16L << 30, "580.65", "7.0")).advice()).contains("7.5");
    assertThat(gpu(new Libtorch("2.10.0", "cuda", "AVX512", 2, 2, 0, ""), H100).advice()).contains("CUDA_VISIBLE_DEVICES");
  }

  @Test
  void emulatedBf16AndIdleCoresCost() {
    var findings = Checkup.onLibtorch(hardware(OLD, CPU), Map.of());
    assertThat(finding(findings, "bf16 on the CPU").advice()).contains("float32");
    assertThat(finding(findings, "threads").advice()).contains("4 cores");
    var fine = Checkup.onLibtorch(hardware(MODERN, CPU), Map.of());
    assertThat(finding(fine, "bf16 on the CPU").isFine()).isTrue();
    assertThat(finding(fine, "threads").isFine()).isTrue();
  }

  @Test
  void namesTheVariablesThatSlow() {
    var findings = Checkup.onMachine(hardware(OLD, CPU).machine(), Map.of("OPENBLAS_CORETYPE", "Haswell", "HOME", "/"));
    assertThat(finding(findings, "environment").found()).isEqualTo("OPENBLAS_CORETYPE=Haswell");
    assertThat(finding(findings, "environment").isFine()).isFalse();
    assertThat(finding(findings, "Vector API").advice()).contains("./walsh");
  }

  @Test
  void theBannerNamesTheDeviceInUse() {
    assertThat(hardware(MODERN, CPU).banner("cpu")).isEqualTo("device cpu · EPYC · 2 threads · bf16 native · libtorch 2.10.0");
    assertThat(hardware(OLD, CUDA, H100).banner("cuda"))
        .isEqualTo("device cuda · NVIDIA H100 · 80 GiB · driver 580.65.06 · bf16 native · libtorch 2.10.0");
    assertThat(hardware(OLD, CUDA, H100).banner("cuda:1")).contains("does not name");
  }

  @Test
  void anUnloadableLibtorchSaysWhy() {
    assertThat(Libtorch.unloadable(new UnsatisfiedLinkError("libcudart.so.13: cannot open shared object file")))
        .hasMessageContaining("libcudart.so.13").hasMessageContaining("WALSH_NATIVES=cpu");
    assertThat(Libtorch.unloadable(new UnsatisfiedLinkError("version `GLIBC_2.34' not found"))).hasMessageContaining("newer C library");
    assertThat(Libtorch.unloadable(new UnsatisfiedLinkError("no jnitorch in java.library.path: /usr/lib"))).hasMessageContaining("./walsh");
    var chained = new UnsatisfiedLinkError("no jnitorch_cuda in java.library.path");
    chained.initCause(new UnsatisfiedLinkError("libcudnn.so.9: cannot open shared object file\nmore"));
    assertThat(Libtorch.unloadable(chained)).hasMessageContaining("libcudnn.so.9").hasMessageNotContaining("more");
  }

  @Test
  void amountsAreShort() {
    assertThat(Amount.rate(1.347e11, "FLOP")).isEqualTo("135 GFLOP/s");
    assertThat(Amount.rate(7.88e14, "FLOP")).isEqualTo("788 TFLOP/s");
    assertThat(Amount.rate(9.5e9, "B")).isEqualTo("9.5 GB/s");
    assertThat(Amount.bytes(25276502016L)).isEqualTo("24 GiB");
  }

  private static Hardware hardware(Cpu cpu, Libtorch libtorch, Gpu... gpus) {
    return new Hardware(new Machine("25", "Linux", cpu, List.of(gpus)), libtorch);
  }

  private static Finding gpu(Libtorch libtorch, Gpu... gpus) {
    return finding(Checkup.onLibtorch(hardware(MODERN, libtorch, gpus), Map.of()), "GPU");
  }

  private static Finding finding(List<Finding> findings, String subject) {
    return findings.stream().filter(finding -> finding.subject().equals(subject)).findFirst().orElseThrow();
  }
}
