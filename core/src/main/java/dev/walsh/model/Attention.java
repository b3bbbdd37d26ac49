package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.kernels.nn.CausalAttention;
import dev.walsh.kernels.nn.Linear;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Weights;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** Causal softmax attention over all heads, without its output projection. */
final class Attention {
  /** The name of the merged projection: the weights of the queries, unless they are the stream itself, then of keys and values, (…,C). */
  static final String QKV = "qkv.weight";

  private final int width;
  private final Tensor qkv;
  private final Rope rope;
  private final CausalAttention softmax;
  private final Kernels kernels;
  private final Query query;

  Attention(ModelConfig config, Rope rope, CausalAttention softmax, Weights.Path path, Kernels kernels) {
    this.width = config.width();
    this.rope = rope;
    this.softmax = softmax;
    this.kernels = kernels;
    this.query = config.query();
    this.qkv = qkv(config, path);
  }

  /** All forms of a Hadamard projection begin as the same function, and keys and values are those of a model with learned queries. */
  private static Tensor qkv(ModelConfig config, Weights.Path path) {
    long width = config.width();
    long rows = (config.query() == Query.LEARNED ? 3 : 2) * width;
    UnaryOperator<Tensor> part = whole -> whole.narrow(0, 3 * width - rows, rows);
    UnaryOperator<Tensor> form = switch (config.projection().mix()) {
      case HADAMARD_FOLDED -> new Folding(config)::fold;
      case SIGNED_HADAMARD -> new Folding(config)::sign;
      default -> UnaryOperator.identity();
    };
    return path.normal(QKV, Init.DEVIATION, new long[] {3 * width, width}, drawn -> form.apply(part.apply(drawn)), rows, width);
  }

  /** n: (B,T,C) -> the concatenated heads (B,T,C). */
  Tensor apply(Tensor n) {
    if (kernels == Kernels.PLAIN) return softmax.apply(rope.plain(packed(n, Linear.plain(n, qkv))));
    return softmax.apply(rope.apply(packed(n, Linear.apply(n, qkv))));
  }

  /** n: (…,C), rows of new tokens -> the concatenated heads (…,C), as a pass over what is remembered of their sequences computes them. */
  Tensor apply(Tensor n, DecodeState.Pass pass, int layer) {
    var projected = kernels == Kernels.PLAIN ? Linear.plain(n, qkv) : Linear.apply(n, qkv);
    return pass.attend(layer, packed(n, projected).view(-1, 3L * width)).view(n.shape());
  }

  /** n: (B,T,C), projected: (B,T,3C) or (B,T,2C) -> queries, keys and values (B,T,3C), nobody else's. */
  private Tensor packed(Tensor n, Tensor projected) {
    return query == Query.LEARNED ? projected : torch.cat(new TensorVector(n, projected), -1);
  }

  /** @param length T, the tokens that attend to one another; half of the pairs are masked */
  Cost cost(int length) {
    // Queries, keys, values and the heads' outputs are kept.
    var products = new Cost(0, 2.0 * length * width, 4.0 * length * width, 4.0 * width, 0);
    // RoPE turns queries and keys where they are; backward it packs three gradients into one.
    var moved = 10.0 * width;
    // Packing reads and writes three rows; backward takes two of their gradients out again and adds the third to the stream's.
    return query == Query.LEARNED
        ? Cost.matrix(width, 3L * width).plus(products).moving(moved)
        : Cost.matrix(width, 2L * width).plus(products).moving(moved + 13.0 * width);
  }
}
