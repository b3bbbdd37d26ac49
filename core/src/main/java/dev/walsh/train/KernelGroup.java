package dev.walsh.train;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** What a kernel of a training step is for, by its name. Of two groups whose words a name has, the first here is meant. */
public enum KernelGroup {
  NCCL("NCCL", "nccl"),
  // cuDNN computes nothing else here; its kernels and those of flash attention are made of the parts of matrix products.
  ATTENTION("attention", "sdpa", "fmha", "flash", "attention", "cudnn"),
  JOINS("joins and norms", "join_", "layer_norm", "rms_norm"),
  SWIGLU("SwiGLU", "swiglu", "silu"),
  ROPE("RoPE", "rope_"),
  CROSS_ENTROPY("cross-entropy", "cross_entropy", "softmax", "nll_loss"),
  EMBEDDING("embedding", "embedding", "radixsort", "sortstable", "gather", "indexselect"),
  OPTIMIZER("optimizer", "adam"),
  GEMM("matrix products", "nvjet", "gemm", "cutlass", "cublas", "splitkreduce", "gemv"),
  OTHER("other");

  private final String title;
  private final List<String> words;

  KernelGroup(String title, String... words) {
    this.title = title;
    this.words = List.of(words);
  }

  /** The group of a kernel, from its symbol. */
  public static KernelGroup of(String kernel) {
    var name = kernel.toLowerCase(Locale.ROOT);
    return Arrays.stream(values()).filter(group -> group.words.stream().anyMatch(name::contains)).findFirst().orElse(OTHER);
  }

  @Override
  public String toString() {
    return title;
  }
}
