package dev.walsh.study;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import dev.walsh.train.Footprint;
import dev.walsh.train.Trainer;
import java.util.Objects;

/**
 * What a model of a shape takes, counted on the model itself without memory for it.
 *
 * @param parameters trainable scalars
 * @param attentionParameters those of attention, its output projection included
 * @param forwardFlopsAToken operations of a forward pass, for one token
 * @param flopsAToken operations of a training step, for one token
 * @param memory bytes held in training
 */
public record Sizes(long parameters, long attentionParameters, double forwardFlopsAToken, double flopsAToken, Footprint memory) {
  /** Of a model that is trained by a recipe, in a dtype. */
  public static Sizes of(ModelConfig shape, TrainConfig recipe, Dtype dtype) {
    var weights = new Weights(Device.META, dtype, 0);
    try {
      var model = new Gpt(shape, weights);
      int length = recipe.length();
      var attention = Objects.requireNonNull(model.costs(length).get(Gpt.ATTENTION));
      var cost = model.cost(length);
      return new Sizes(weights.elements(), attention.parameters(), cost.forward(), cost.training(),
          Trainer.footprint(model, weights, recipe, 1));
    } finally {
      weights.close();
    }
  }
}
