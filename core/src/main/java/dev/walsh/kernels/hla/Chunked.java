package dev.walsh.kernels.hla;

import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The causal weighted sum: all pairs within a chunk of C tokens, and the state of the chunks before it, which is a sum of those alone. With
 * S the state that chunk c finds, scaled by its decay d where features are scaled chunk by chunk:
 *
 * <pre>
 * S ← d_c·S     Y_c = Φ(Q_c)ᵀ·S + tril(A_c)·[V_c, 1]     S ← S + Φ(K_c)·[V_c, 1]
 * </pre>
 *
 * Backward runs this scan again for the gradient of queries, and one from the end for that of keys and values, so that one state is all it
 * holds, whatever N is.
 *
 * @param queries the products of queries
 * @param keys the products of keys
 * @param similarities the weights within a chunk
 * @param entries R
 * @param chunk C
 */
record Chunked(Expansion queries, Expansion keys, Similarities similarities, int entries, long chunk) {
  /**
   * What a scan left.
   *
   * @param out (G,N,W), in the dtype of sums
   * @param state (G,R,W) after the last token
   */
  record Result(Tensor out, Tensor state) {}

  /**
   * A whole sequence.
   *
   * @param decay (G,chunks), or null for ones
   * @return (G,N,W), in the dtype of sums
   */
  Tensor apply(Operands x, @Nullable Tensor decay) {
    Tensor out;
    try (var scope = Scope.withoutGradients()) {
      out = scope.escape(forward(x, decay, zeroState(x), false));
    }
    var inputs = x.inputs();
    if (CustomGradient.isWanted(inputs.toArray(Tensor[]::new))) {
      CustomGradient.attach(inputs, List.of(out), given -> backward(x, decay, null, given.getFirst(), null));
    }
    return out;
  }

  /**
   * Goes on with a sequence.
   *
   * @param decay (G,chunks), or null for ones
   * @param before the state that earlier tokens left, (G,R,W). Where gradients are not recorded, it becomes the state after the last token in
   *     place.
   */
  Result proceed(Operands x, @Nullable Tensor decay, Tensor before) {
    var inputs = x.inputs();
    inputs.add(before);
    if (!CustomGradient.isWanted(inputs.toArray(Tensor[]::new))) {
      try (var scope = Scope.withoutGradients()) {
        return new Result(scope.escape(goOn(x, decay, before)), before);
      }
    }
    Result result;
    try (var scope = Scope.withoutGradients()) {
      var state = scope.escape(before.clone());
      result = new Result(scope.escape(forward(x, decay, state, true)), state);
    }
    CustomGradient.attach(inputs, List.of(result.out, result.state),
        given -> backward(x, decay, before, given.getFirst(), given.getLast()));
    return result;
  }

  /** Without a gradient, and the state in place. */
  private Tensor goOn(Operands x, @Nullable Tensor decay, Tensor state) {
    if (CpuStep.covers(x, entries, state)) return CpuStep.run(x, decay, state);
    var byKernel = CudaStep.run(x, entries, decay, state);
    return byKernel != null ? byKernel : forward(x, decay, state, true);
  }

  private Tensor zeroState(Operands x) {
    return x.zeros(x.groups(), entries, x.columns());
  }

  /** @param goesOn whether the state holds tokens before these, and is wanted after them */
  private Tensor forward(Operands x, @Nullable Tensor decay, Tensor state, boolean goesOn) {
    var out = x.zeros(x.groups(), x.length(), x.columns());
    Blocks.forward(x.length(), chunk, (from, tokens) -> {
      var q = x.queries(from, tokens);
      var k = x.keys(from, tokens);
      var columns = x.summed(from, tokens);
      var ofChunk = out.narrow(1, from, tokens);
      fade(state, decay, from);
      if (tokens == 1 && goesOn) {
        keys.accumulate(k, columns, state);
        queries.read(q, state, ofChunk);
        return;
      }
      similarities.apply(q, k, columns, 0, ofChunk);
      if (goesOn || from > 0) queries.read(q, state, ofChunk);
      if (goesOn || from + tokens < x.length()) keys.accumulate(k, columns, state);
    });
    return out;
  }

  private void fade(Tensor state, @Nullable Tensor decay, long from) {
    if (decay != null) state.mul_(decay.narrow(1, from / chunk, 1).unsqueeze(2));
  }

  private List<@Nullable Tensor> backward(Operands x, @Nullable Tensor decay, @Nullable Tensor before, @Nullable Tensor ofOut,
      @Nullable Tensor ofState) {
    if (ofOut == null && ofState == null) return Arrays.asList(new Tensor[x.inputs().size() + (before == null ? 0 : 1)]);
    var upstream = ofOut == null ? x.zeros(x.groups(), x.length(), x.columns()) : ofOut;
    var gradients = Gradients.of(x);
    var state = before == null ? zeroState(x) : before.clone();
    Blocks.forward(x.length(), chunk, (from, tokens) -> {
      var q = x.queries(from, tokens);
      var k = x.keys(from, tokens);
      var columns = x.summed(from, tokens);
      var given = upstream.narrow(1, from, tokens);
      fade(state, decay, from);
      similarities.pull(q, k, columns, 0, given, gradients.queries(from, tokens), gradients.keys(from, tokens),
          gradients.columns(from, tokens));
      if (before != null || from > 0) queries.pull(q, state, given, gradients.queries(from, tokens));
      if (from + tokens < x.length()) keys.accumulate(k, columns, state);
    });
    // From here on the gradient of the state, of which the last chunk's tokens see what was given from outside.
    if (ofState == null) {
      state.zero_();
    } else {
      state.copy_(ofState);
    }
    Blocks.backward(x.length(), chunk, (from, tokens) -> {
      if (ofState != null || from + tokens < x.length()) {
        var k = x.keys(from, tokens);
        keys.read(k, state, gradients.columns(from, tokens));
        keys.pull(k, state, x.summed(from, tokens), gradients.keys(from, tokens));
      }
      if (before != null || from > 0) queries.accumulate(x.queries(from, tokens), upstream.narrow(1, from, tokens), state);
      fade(state, decay, from);
    });
    var all = new ArrayList<@Nullable Tensor>(gradients.inputs(x));
    if (before != null) all.add(state);
    return all;
  }
}
