package dev.walsh.kernels.hla;

import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The weighted sum over all pairs of tokens, a block of queries at a time; backward makes the weights again. */
record Quadratic(Similarities similarities, boolean causal) {
  // 4 MiB of weights in float32.
  private static final long BLOCK_ELEMENTS = 1 << 20;
  private static final long FEWEST_QUERIES = 16;
  // A causal block meets the keys up to its last query, so a large one meets many in vain.
  private static final long MOST_QUERIES = 128;

  /** x -> (G,N,W), in the dtype of sums. */
  Tensor apply(Operands x) {
    Tensor out;
    try (var scope = Scope.withoutGradients()) {
      out = scope.escape(forward(x));
    }
    if (CustomGradient.isWanted(x.inputs().toArray(Tensor[]::new))) {
      CustomGradient.attach(x.inputs(), List.of(out), given -> backward(x, given.getFirst()));
    }
    return out;
  }

  private Tensor forward(Operands x) {
    var out = x.zeros(x.groups(), x.length(), x.columns());
    forEachBlock(x, (from, tokens) -> {
      long seen = causal ? from + tokens : x.length();
      similarities.apply(x.queries(from, tokens), x.keys(0, seen), x.summed(0, seen), causal ? from : Similarities.ALL,
          out.narrow(1, from, tokens));
    });
    return out;
  }

  private List<@Nullable Tensor> backward(Operands x, @Nullable Tensor upstream) {
    if (upstream == null) return Arrays.asList(new Tensor[x.inputs().size()]);
    var gradients = Gradients.of(x);
    forEachBlock(x, (from, tokens) -> {
      long seen = causal ? from + tokens : x.length();
      similarities.pull(x.queries(from, tokens), x.keys(0, seen), x.summed(0, seen), causal ? from : Similarities.ALL,
          upstream.narrow(1, from, tokens), gradients.queries(from, tokens), gradients.keys(0, seen), gradients.columns(0, seen));
    });
    return List.copyOf(gradients.inputs(x));
  }

  private static void forEachBlock(Operands x, Blocks.Visitor visitor) {
    long queries = Math.clamp(BLOCK_ELEMENTS / Math.max(1, x.groups() * x.length()), FEWEST_QUERIES, MOST_QUERIES);
    Blocks.forward(x.length(), queries, visitor);
  }
}
