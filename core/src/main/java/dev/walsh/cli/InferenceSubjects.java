package dev.walsh.cli;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection.Mix;
import dev.walsh.generate.InferenceBenchmark;
import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.generate.InferenceBenchmark.Subject;
import dev.walsh.generate.InferenceResult.Row;
import dev.walsh.kernels.nn.Int8Matrix;
import dev.walsh.measure.Rates;
import dev.walsh.model.Folding;
import dev.walsh.model.Gpt;
import dev.walsh.study.Arm;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;

/** The models whose prefill or decoding is timed in turns; closing frees their weights. */
record InferenceSubjects(List<Subject> subjects, List<Weights> weights) implements AutoCloseable {
  /** Of random weights; what matters to the clock is that numbers are neither zero nor infinite. */
  private static final double DEVIATION = 0.02;

  /** None yet. */
  InferenceSubjects() {
    this(new ArrayList<>(), new ArrayList<>());
  }

  void add(String name, Gpt model, Weights of) {
    weights.add(of);
    subjects.add(new Subject(name, model, of.bytes()));
  }

  /**
   * A shape with each of some attentions and each of some projections.
   *
   * @param attentions none for the shape's own
   * @throws dev.walsh.config.UserError for what is unknown, or does not suit the shape
   */
  static List<Arm> arms(ModelConfig shape, List<String> projections, List<AttentionKind> attentions) {
    var kinds = attentions.isEmpty() ? List.of(shape.attention()) : attentions;
    return kinds.stream().flatMap(kind -> projections.stream().map(name -> Arm.named(shape.with(kind), name))).toList();
  }

  /**
   * Models of random weights, Hadamard's projections folded.
   *
   * @param longest sequence, in tokens, for which models get a context where they have any
   */
  static InferenceSubjects random(List<Arm> arms, int longest, Device device, Dtype dtype, boolean int8) {
    var made = new InferenceSubjects();
    for (var arm : arms) made.addRandom(arm, longest, device, dtype, int8);
    return made;
  }

  private void addRandom(Arm arm, int longest, Device device, Dtype dtype, boolean int8) {
    var config = arm.model();
    if (!config.attention().takesAnyLength()) config = config.withContext(InferenceBenchmark.context(longest));
    var mix = config.projection().mix();
    if (mix.isHadamard() && mix != Mix.HADAMARD_FOLDED) config = new Folding(config).folded();
    var weights = Weights.toBeLoaded(device, dtype);
    var model = new Gpt(config, weights);
    try (var scope = Scope.withoutGradients()) {
      for (var w : weights.all()) {
        if (w.value().dim() == 1) {
          w.value().fill_(new Scalar(1));
        } else {
          w.value().normal_(0, DEVIATION, new GeneratorOptional());
        }
      }
    }
    if (int8) weights.store(weights.masters(), Int8Matrix::pack);
    add(arm.name(), model, weights);
  }

  void verify() {
    for (var subject : subjects) InferenceBenchmark.verify(subject.model());
  }

  /** Times one cell: a row for each model. */
  List<Row> cell(Kind kind, String model, int batch, int length, boolean graphs, int rounds, Rates rates) {
    var results = InferenceBenchmark.run(kind, subjects, batch, length, graphs, rounds);
    var dtype = subjects.getFirst().model().dtype();
    return results.stream().map(result -> Row.of(kind, model, batch, length, result, results.getFirst(), rates, dtype)).toList();
  }

  @Override
  public void close() {
    weights.forEach(Weights::close);
  }
}
