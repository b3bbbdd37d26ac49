package dev.walsh.model;

import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A learned matrix for each group of neighbouring heads: d²/blocks parameters. Its entries begin √blocks times as large as a dense
 * matrix's, so that as much arrives in the residual stream.
 */
final class BlockDiagonal implements Mix {
  private final int blocks;
  private final int width;
  // (blocks,out,in).
  private final Tensor weight;

  BlockDiagonal(int blocks, int width, int layers, Weights.Path path) {
    this.blocks = blocks;
    this.width = width;
    int group = width / blocks;
    weight = path.normal("weight", Init.residual(layers) * Math.sqrt(blocks), blocks, group, group);
  }

  @Override
  public Tensor apply(Tensor y) {
    var groups = y.reshape(-1, blocks, width / blocks).transpose(0, 1);
    return torch.bmm(groups, weight.transpose(1, 2)).transpose(0, 1).reshape(y.shape());
  }

  /** The products leave their rows group by group; putting those side by side moves them once more, forward and backward. */
  @Override
  public Cost cost() {
    return Cost.matrix(width, width / blocks).moving(4.0 * width);
  }
}
