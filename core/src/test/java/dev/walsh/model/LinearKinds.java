package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.AttentionKind.Hadamard;
import java.util.List;

/** Linear attentions that together have every choice in them, small enough for heads of six channels. */
public final class LinearKinds {
  private LinearKinds() {}

  public static List<AttentionKind> all() {
    return List.of(new Hadamard(1, 4), new Hadamard(2, 4), new Hadamard(3, 2), new Hadamard(2, 3).with(AttentionKind.Map.EXP),
        new Hadamard(2, 3).with(AttentionKind.Map.RELU), new Hadamard(2, 3).with(AttentionKind.Map.PERCEPTRON),
        new Hadamard(2, 4).with(AttentionKind.Tie.QUERIES), new Hadamard(3, 3).with(AttentionKind.Tie.KEYS),
        new Hadamard(2, 3).with(AttentionKind.Map.TAYLOR).with(AttentionKind.Rope.NONE),
        new Hadamard(2, 3).with(AttentionKind.Tie.BOTH).with(AttentionKind.Normalizer.RMS).with(AttentionKind.Map.AFFINE),
        new Hadamard(2, 4).with(AttentionKind.Rope.AFTER), new AttentionKind.Katharopoulos(), new AttentionKind.CosFormer(),
        new AttentionKind.Based());
  }
}
