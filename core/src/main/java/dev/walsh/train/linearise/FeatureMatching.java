package dev.walsh.train.linearise;

import dev.walsh.config.TrainConfig;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.train.Descent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Trains the feature maps of layers, block by block: each by itself on the mean absolute difference of its attention's output from the
 * teacher's, of what the teacher's layer reads. No layer sees what another has become, so all are trained in one pass through the teacher.
 */
final class FeatureMatching implements AutoCloseable {
  private final Gpt teacher;
  private final Gpt student;
  private final List<Integer> layers;
  // Of those that have anything to learn.
  private final Map<Integer, Descent> descents = new LinkedHashMap<>();

  /**
   * @param weights of the student, of which all but feature maps are frozen from here on
   * @param layers of the student that are linear
   */
  FeatureMatching(Gpt teacher, Gpt student, Weights weights, List<Integer> layers, TrainConfig recipe) {
    this.teacher = teacher;
    this.student = student;
    this.layers = layers;
    for (var weight : weights.all()) weight.value().set_requires_grad(false);
    for (int layer : layers) {
      var maps = weights.all().stream().filter(weight -> student.isFeatureMap(weight.name(), layer)).toList();
      for (var map : maps) map.value().set_requires_grad(true);
      if (!maps.isEmpty()) descents.put(layer, new Descent(maps, weights.device(), recipe));
    }
  }

  /** Moves the maps of all layers by one batch. ids: (B,T) int64. */
  void step(Tensor ids) {
    try (var scope = Scope.open()) {
      var read = read(ids);
      descents.forEach((layer, descent) -> {
        try (var inner = Scope.open()) {
          var expected = expected(layer, read);
          double unused = descent.step(() -> difference(student.attend(layer, read.get(layer)), expected));
        }
      });
    }
  }

  /** The mean absolute difference of each of the layers, over the teacher's mean absolute output. ids: (B,T) int64. */
  double[] differences(Tensor ids) {
    try (var scope = Scope.withoutGradients()) {
      var read = read(ids);
      var differences = new ArrayList<Double>();
      for (int layer : layers) {
        try (var inner = Scope.withoutGradients()) {
          var expected = expected(layer, read);
          double size = expected.abs().mean().item_double();
          differences.add(difference(student.attend(layer, read.get(layer)), expected).item_double() / size);
        }
      }
      return differences.stream().mapToDouble(Double::doubleValue).toArray();
    }
  }

  /** What each layer's attention reads in the teacher, (B,T,C); in the innermost scope. */
  private List<Tensor> read(Tensor ids) {
    try (var scope = Scope.withoutGradients()) {
      var read = teacher.attentionInputs(ids);
      read.forEach(scope::escape);
      return read;
    }
  }

  private Tensor expected(int layer, List<Tensor> read) {
    try (var scope = Scope.withoutGradients()) {
      return scope.escape(wide(teacher.attend(layer, read.get(layer))));
    }
  }

  private static Tensor difference(Tensor one, Tensor other) {
    return wide(one).sub(other).abs().mean();
  }

  private static Tensor wide(Tensor t) {
    return Dtype.of(t) == Dtype.F64 ? t : t.to(Dtype.F32.scalarType());
  }

  @Override
  public void close() {
    descents.values().forEach(Descent::close);
  }
}
