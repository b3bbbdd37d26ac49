package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.kernels.nn.CausalAttention;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** Full and folded form are one function, whatever the heads leave to fold. */
final class FoldingTest {
  @ParameterizedTest
  @CsvSource({"24,2", "24,1", "96,6", "80,4", "80,10", "128,8", "20,10"})
  void aFoldedModelComputesTheSame(int width, int heads) {
    var config = config(width, heads, "hadamard");
    var full = new Weights(Device.CPU, Dtype.F64, 3);
    var folded = new Weights(Device.CPU, Dtype.F64, 4);
    try (var scope = Scope.withoutGradients()) {
      var fullModel = new Gpt(config, full);
      var random = new Random(1);
      for (var w : full.all()) w.value().add_(Memory.tensor(random.doubles(w.elements(), -0.2, 0.2).toArray(), w.value().shape()));
      var folding = new Folding(config);
      var foldedModel = new Gpt(folding.folded(), folded);
      folded.load(folding.fold(full.masters()));
      assertThat(difference(fullModel, foldedModel)).isLessThan(1e-12);
    } finally {
      full.close();
      folded.close();
    }
  }

  @Test
  void bothFormsBeginAsTheSameFunction() {
    var full = new Weights(Device.CPU, Dtype.F64, 3);
    var folded = new Weights(Device.CPU, Dtype.F64, 3);
    try (var scope = Scope.withoutGradients()) {
      assertThat(difference(new Gpt(config(24, 2, "hadamard"), full), new Gpt(config(24, 2, "hadamard-folded"), folded))).isLessThan(1e-12);
      assertThat(values(full).equal(values(folded))).isFalse();
    } finally {
      full.close();
      folded.close();
    }
  }

  private static Tensor values(Weights weights) {
    return requireNonNull(weights.masters().get("h.0.attn.qkv.weight"));
  }

  @Test
  void unfoldingUndoesFolding() {
    try (var scope = Scope.withoutGradients()) {
      var random = new Random(2);
      var qkv = Memory.tensor(random.doubles(3 * 96 * 96).toArray(), 3 * 96, 96);
      var folding = new Folding(config(96, 6, "hadamard"));
      var folded = folding.fold(qkv);
      assertThat(folding.unfold(folded).sub(qkv).abs().max().item_double()).isLessThan(1e-13);
      assertThat(folded.narrow(0, 0, 192).equal(qkv.narrow(0, 0, 192))).as("queries and keys").isTrue();
    }
  }

  /** Signs before the matrix against the same signs in the weights of the values: the same rows and gradients, to the last bit. */
  @Test
  void signsAreFlippedRowsOfTheValueProjection() {
    var config = config(24, 2, "hadamard");
    var plain = new Weights(Device.CPU, Dtype.F32, 3);
    var signed = new Weights(Device.CPU, Dtype.F32, 3);
    try (var scope = Scope.open()) {
      var before = attention(config, plain);
      var after = attention(config(24, 2, "signed-hadamard"), signed);
      var w = requireNonNull(plain.masters().get("attn.qkv.weight"));
      var flipped = requireNonNull(signed.masters().get("attn.qkv.weight"));
      var signs = flipped.div(w).narrow(1, 0, 1).detach();
      assertThat(signs.abs().min().item_double()).isEqualTo(1);
      assertThat(signs.narrow(0, 0, 48).min().item_double()).as("queries and keys").isEqualTo(1);
      var ofValues = signs.narrow(0, 48, 24).reshape(24);
      assertThat(Math.abs(ofValues.sum().item_double())).as("both signs occur").isLessThan(20);
      var n = torch.randn(2, 6, 24);
      var upstream = torch.randn(2, 6, 24);
      var y = before.apply(n).mul(ofValues);
      var z = after.apply(n);
      assertThat(z.equal(y)).isTrue();
      y.mul(upstream).sum().backward();
      z.mul(upstream).sum().backward();
      assertThat(flipped.grad().equal(w.grad().mul(signs))).isTrue();
    } finally {
      plain.close();
      signed.close();
    }
  }

  private static Attention attention(ModelConfig config, Weights weights) {
    var rope = new Rope(config.context(), config.headWidth(), ModelConfig.ROPE_BASE, weights.at("rope"));
    return new SoftmaxAttention(config, rope, new CausalAttention(config.context(), weights.at("softmax")), weights.at("attn"),
        Kernels.FUSED);
  }

  @Test
  void otherProjectionsHaveNothingToFold() {
    assertThatThrownBy(() -> new Folding(config(24, 2, "dense"))).isInstanceOf(IllegalArgumentException.class)
        .hasMessage("nothing to fold in dense");
  }

  private static ModelConfig config(int width, int heads, String projection) {
    return new ModelConfig(2, width, heads, 20, 6, 61, Projection.named(projection));
  }

  private static double difference(Gpt one, Gpt other) {
    var random = new Random(5);
    var ids = Memory.tensor(random.longs(2 * 6, 0, 61).toArray(), 2, 6);
    return logits(one, ids).sub(logits(other, ids)).abs().max().item_double();
  }

  private static Tensor logits(Gpt model, Tensor ids) {
    return model.logits(model.hidden(ids));
  }
}
