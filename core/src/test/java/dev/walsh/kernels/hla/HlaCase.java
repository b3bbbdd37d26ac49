package dev.walsh.kernels.hla;

import dev.walsh.kernels.hla.FeatureMap.Affine;
import dev.walsh.kernels.hla.FeatureMap.Exp;
import dev.walsh.kernels.hla.FeatureMap.Perceptron;
import dev.walsh.kernels.hla.FeatureMap.Relu;
import dev.walsh.kernels.hla.FeatureMap.Softplus;
import dev.walsh.kernels.hla.FeatureMap.Taylor;
import java.util.List;

/** Kinds of attention that every form must compute: each feature map, each number of factors, each way to tie them. */
enum HlaCase {
  SOFTPLUS_1(List.of(new Softplus(6))),
  SOFTPLUS_2(List.of(new Softplus(5), new Softplus(4))),
  SOFTPLUS_3(List.of(new Softplus(3), new Softplus(4), new Softplus(2))),
  TIED_2(SOFTPLUS_2.alike(), true, true),
  TIED_3(List.of(new Softplus(4), new Softplus(4), new Softplus(4)), true, true),
  QUERIES_TIED_2(SOFTPLUS_2.alike(), true, false),
  KEYS_TIED_2(SOFTPLUS_2.alike(), false, true),
  QUERIES_TIED_3(TIED_3.factors, true, false),
  KEYS_TIED_3(TIED_3.factors, false, true),
  EXP_1(List.of(new Exp(6))),
  EXP_2(List.of(new Exp(5), new Exp(4))),
  EXP_TIED_2(List.of(new Exp(5), new Exp(5)), true, true),
  EXP_AND_SOFTPLUS(List.of(new Softplus(3), new Exp(4), new Exp(2))),
  RELU_2(List.of(new Relu(5, 0.01), new Relu(4, 0.01))),
  PERCEPTRON_2(List.of(new Perceptron(4), new Perceptron(5))),
  TAYLOR_1(List.of(new Taylor(3))),
  TAYLOR_AND_SOFTPLUS(List.of(new Taylor(2), new Softplus(4))),
  AFFINE_TIED_2(List.of(new Affine(4), new Affine(4)), true, true),
  AFFINE_3_RMS(List.of(new Affine(3), new Affine(3), new Affine(2))),
  SOFTPLUS_2_RMS(SOFTPLUS_2.factors),
  ROTATED_1(List.of(new Softplus(6))),
  ROTATED_TIED_2(List.of(new Softplus(6), new Softplus(6)), true, true),
  ROTATED_EXP_2_RMS(List.of(new Exp(6), new Exp(4))),
  ROTATED_EXP_2(List.of(new Exp(6), new Exp(4))),
  MODULATED_2(SOFTPLUS_2.factors),
  MODULATED_3(SOFTPLUS_3.factors),
  MODULATED_TIED_3(TIED_3.factors, true, true),
  MODULATED_KEYS_TIED_3(TIED_3.factors, false, true),
  MODULATED_EXP_QUERIES_TIED_2(List.of(new Exp(5), new Exp(5)), true, false),
  KATHAROPOULOS(List.of(new FeatureMap.EluPlusOne())),
  COSFORMER(List.of(new FeatureMap.Cosine(500)));

  static final int HEADS = 2;
  static final int HEAD_WIDTH = 6;

  private final List<FeatureMap> factors;
  private final boolean tieQueries;
  private final boolean tieKeys;

  HlaCase(List<FeatureMap> factors) {
    this(factors, false, false);
  }

  HlaCase(List<FeatureMap> factors, boolean tieQueries, boolean tieKeys) {
    this.factors = factors;
    this.tieQueries = tieQueries;
    this.tieKeys = tieKeys;
  }

  private List<FeatureMap> alike() {
    return List.of(factors.getFirst(), factors.getFirst());
  }

  HlaSpec spec(boolean causal) {
    return spec(causal, HEAD_WIDTH);
  }

  HlaSpec spec(boolean causal, int headWidth) {
    return new HlaSpec(HEADS, headWidth, factors, tieQueries, tieKeys, causal, name().endsWith("RMS") ? Normalizer.RMS : Normalizer.SUM,
        name().startsWith("ROTATED") ? Rotation.AFTER : Rotation.NONE,
        name().startsWith("MODULATED") ? Modulation.VALUES : Modulation.FEATURES);
  }
}
