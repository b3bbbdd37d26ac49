package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.kernels.nn.Linear;
import dev.walsh.tensor.Weights;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** The merged projection of the normed stream to queries, unless they are the stream itself, and to keys and values. */
final class QkvProjection {
  /** The name of its matrix, (…,C): the weights of the queries, if any, then of keys and values. */
  static final String NAME = "qkv.weight";

  private final int width;
  private final Tensor weight;
  private final Kernels kernels;
  private final Query query;

  QkvProjection(ModelConfig config, Weights.Path path, Kernels kernels) {
    width = config.width();
    this.kernels = kernels;
    query = config.query();
    weight = weight(config, path);
  }

  /** All forms of a Hadamard projection begin as the same function, and keys and values are those of a model with learned queries. */
  private static Tensor weight(ModelConfig config, Weights.Path path) {
    long width = config.width();
    long rows = (config.query() == Query.LEARNED ? 3 : 2) * width;
    UnaryOperator<Tensor> part = whole -> whole.narrow(0, 3 * width - rows, rows);
    UnaryOperator<Tensor> form = switch (config.projection().mix()) {
      case HADAMARD_FOLDED -> new Folding(config)::fold;
      case SIGNED_HADAMARD -> new Folding(config)::sign;
      default -> UnaryOperator.identity();
    };
    return path.normal(NAME, Init.DEVIATION, new long[] {3 * width, width}, drawn -> form.apply(part.apply(drawn)), rows, width);
  }

  /** n: (…,C) -> queries, keys and values (…,3C), nobody else's. */
  Tensor apply(Tensor n) {
    var projected = kernels == Kernels.PLAIN ? Linear.plain(n, weight) : Linear.apply(n, weight);
    return query == Query.LEARNED ? projected : torch.cat(new TensorVector(n, projected), -1);
  }

  /** n: (N,C), rows of new tokens -> the concatenated heads (N,C), as a pass over what is remembered of their sequences computes them. */
  Tensor attend(Tensor n, DecodeState.Pass pass, int layer) {
    return pass.attend(layer, apply(n).view(-1, 3L * width)).view(n.shape());
  }

  Cost cost() {
    // Packing reads and writes three rows; backward takes two of their gradients out again and adds the third to the stream's.
    return query == Query.LEARNED ? Cost.matrix(width, 3L * width) : Cost.matrix(width, 2L * width).moving(13.0 * width);
  }
}
