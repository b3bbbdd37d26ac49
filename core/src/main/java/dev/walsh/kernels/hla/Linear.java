package dev.walsh.kernels.hla;

import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The weighted sum over all tokens by way of the state S = Φ(K)·[V, 1], which every query reads. Backward keeps S and the operands alone:
 *
 * <pre>
 * dS = Φ(Q)·dY     dΦ(Q) = S·dYᵀ     dΦ(K) = dS·[V, 1]ᵀ     d[V, 1] = Φ(K)ᵀ·dS
 * </pre>
 *
 * @param queries the products of queries
 * @param keys the products of keys
 * @param entries R
 * @param block tokens whose features are in hand at a time
 */
record Linear(Expansion queries, Expansion keys, int entries, long block) {
  /** x -> (G,N,W), in the dtype of sums. */
  Tensor apply(Operands x) {
    Tensor state;
    Tensor out;
    try (var scope = Scope.withoutGradients()) {
      state = scope.escape(state(x));
      out = scope.escape(x.zeros(x.groups(), x.length(), x.columns()));
      Blocks.forward(x.length(), block, (from, tokens) -> queries.read(x.queries(from, tokens), state, out.narrow(1, from, tokens)));
    }
    if (CustomGradient.isWanted(x.inputs().toArray(Tensor[]::new))) {
      CustomGradient.attach(x.inputs(), List.of(out), given -> backward(x, state, given.getFirst()));
    }
    return out;
  }

  /** S of all tokens, (G,R,W). */
  Tensor state(Operands x) {
    var state = x.zeros(x.groups(), entries, x.columns());
    Blocks.forward(x.length(), block, (from, tokens) -> keys.accumulate(x.keys(from, tokens), x.summed(from, tokens), state));
    return state;
  }

  private List<@Nullable Tensor> backward(Operands x, Tensor state, @Nullable Tensor upstream) {
    if (upstream == null) return Arrays.asList(new Tensor[x.inputs().size()]);
    var gradients = Gradients.of(x);
    var ofState = x.zeros(x.groups(), entries, x.columns());
    Blocks.forward(x.length(), block, (from, tokens) -> {
      var features = x.queries(from, tokens);
      var ofOut = upstream.narrow(1, from, tokens);
      queries.accumulate(features, ofOut, ofState);
      queries.pull(features, state, ofOut, gradients.queries(from, tokens));
    });
    Blocks.forward(x.length(), block, (from, tokens) -> {
      var features = x.keys(from, tokens);
      keys.read(features, ofState, gradients.columns(from, tokens));
      keys.pull(features, ofState, x.summed(from, tokens), gradients.keys(from, tokens));
    });
    return List.copyOf(gradients.inputs(x));
  }
}
