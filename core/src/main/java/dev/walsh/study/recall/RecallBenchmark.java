package dev.walsh.study.recall;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.measure.Progress;
import dev.walsh.model.Gpt;
import dev.walsh.model.KvCache;
import dev.walsh.model.RecurrentState;
import dev.walsh.study.recall.AssociativeRecall.Texts;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.train.Descent;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Small models trained on associative recall, and how much they recall in texts that they have not seen.
 *
 * @param layers of each model
 * @param width of each
 * @param heads of each
 * @param steps of training, fewer where the loss has vanished
 * @param batch texts of a step
 * @param rates the peaks of the learning rate that are tried, of which the best counts
 * @param seed of weights and texts
 */
public record RecallBenchmark(int layers, int width, int heads, int steps, int batch, List<Double> rates, long seed) {
  private static final int TESTED_TEXTS = 512;
  /** The loss in nats that counts as vanished, as a mean of so many steps. */
  private static final double VANISHED = 0.01;
  private static final int MEAN_STEPS = 20;
  private static final double WARMUP = 0.1;
  private static final double WEIGHT_DECAY = 0.1;

  public RecallBenchmark {
    if (steps < 1) throw new UserError("--steps is " + steps + "; give at least 1");
    if (batch < 1) throw new UserError("--batch is " + batch + "; give at least 1");
    rates = List.copyOf(rates);
    for (double rate : rates) if (!(rate > 0)) throw new UserError("--lr is " + rate + "; it must be positive");
  }

  /**
   * What one kind of attention recalls of one task.
   *
   * @param attention its name
   * @param state bytes by which one whole text is remembered
   * @param accuracy the share of keys whose value is the likeliest token
   * @param error one standard error of that, over keys
   * @param learningRate with which that was reached
   * @param steps trained with it
   * @param loss the mean of the last steps, in nats a key
   * @param seconds all rates took
   */
  public record Row(String attention, AssociativeRecall task, long parameters, long state, double accuracy, double error,
      double learningRate, int steps, double loss, double seconds) {}

  /** What guessing among the values of a text recalls. */
  public static double guess(AssociativeRecall task) {
    return 1.0 / task.pairs();
  }

  /** The shape of the models of a task. */
  public ModelConfig model(AttentionKind kind, AssociativeRecall task) {
    return new ModelConfig(layers, width, heads, ModelConfig.defaultHidden(width), task.length(), task.vocabulary(),
        Projection.named("dense")).with(kind);
  }

  /** Trains with each learning rate, and keeps the row of the most recalled. */
  public Row run(AttentionKind kind, AssociativeRecall task, Device device, Dtype dtype) {
    long start = System.nanoTime();
    var best = rates.stream().map(rate -> run(kind, task, device, dtype, rate)).max(Comparator.comparingDouble(Row::accuracy))
        .orElseThrow();
    return new Row(best.attention, task, best.parameters, best.state, best.accuracy, best.error, best.learningRate, best.steps, best.loss,
        (System.nanoTime() - start) * 1e-9);
  }

  private Row run(AttentionKind kind, AssociativeRecall task, Device device, Dtype dtype, double rate) {
    var shape = model(kind, task);
    var weights = new Weights(device, dtype, seed);
    int tokens = batch * task.length();
    var recipe = new TrainConfig((long) steps * tokens, tokens, batch, task.length(), rate, 0, WARMUP, 0.9, 0.95, WEIGHT_DECAY, 1, seed);
    var name = kind.name() + ", " + task.pairs() + " keys, lr " + rate;
    try (var progress = Progress.start(name, "steps", steps)) {
      var model = new Gpt(shape, weights);
      var random = new SplittableRandom(seed);
      double loss = Double.NaN;
      int taken = 0;
      try (var descent = new Descent(weights.all(), device, recipe)) {
        while (taken < steps && !(taken >= MEAN_STEPS && loss < VANISHED)) {
          var texts = easier(task, random).draw(batch, random);
          double now = descent.step(() -> loss(model, task, texts));
          loss = taken == 0 ? now : loss + (now - loss) / Math.min(taken + 1, MEAN_STEPS);
          progress.stepTo(++taken);
          progress.note("loss %.3f".formatted(loss));
        }
      }
      double accuracy = accuracy(model, task);
      double error = Math.sqrt(accuracy * (1 - accuracy) / (TESTED_TEXTS * (double) task.pairs()));
      return new Row(kind.name(), task, weights.elements(), state(shape, dtype), accuracy, error, rate, taken, loss, 0);
    } finally {
      weights.close();
    }
  }

  /** Texts to learn from have as many keys, or a half, a quarter, … of them: what few keys teach is what many need. */
  private static AssociativeRecall easier(AssociativeRecall task, SplittableRandom random) {
    int halvings = random.nextInt(Integer.SIZE - Integer.numberOfLeadingZeros(task.pairs()));
    return new AssociativeRecall(task.pairs() >> halvings, task.length(), task.vocabulary());
  }

  /** What a whole text is remembered by: keys and values in the model's dtype, sums in float32. */
  private static long state(ModelConfig shape, Dtype dtype) {
    return RecurrentState.bytes(shape) + shape.context() * KvCache.tokenBytes(shape, dtype);
  }

  /** The logits where a model is asked: (texts · pairs, V) in float32. */
  private static Tensor asked(Gpt model, AssociativeRecall task, Texts texts) {
    var ids = onDevice(model, texts.ids()).view(-1, task.length());
    var hidden = model.hidden(ids).view(-1, model.config().width()).index_select(0, onDevice(model, texts.asked()));
    return model.logits(hidden).narrow(1, 0, task.vocabulary()).to(Dtype.F32.scalarType());
  }

  private static Tensor onDevice(Gpt model, long[] values) {
    return Memory.tensor(values, values.length).to(model.device().options(Dtype.I64), false, false, null);
  }

  private static Tensor loss(Gpt model, AssociativeRecall task, Texts texts) {
    return torch.cross_entropy_loss(asked(model, task, texts), onDevice(model, texts.answers()));
  }

  /** Of texts that no training drew, which a plain look-up answers first. */
  private double accuracy(Gpt model, AssociativeRecall task) {
    var random = new SplittableRandom(~seed);
    double right = 0;
    for (int done = 0; done < TESTED_TEXTS; done += batch) {
      var texts = task.draw(Math.min(batch, TESTED_TEXTS - done), random);
      verify(task, texts);
      try (var scope = Scope.withoutGradients()) {
        right += asked(model, task, texts).argmax(new LongOptional(1), false).eq(onDevice(model, texts.answers())).sum()
            .item_double();
      }
    }
    return right / ((double) TESTED_TEXTS * task.pairs());
  }

  /** @throws IllegalStateException where what is asked does not follow from the text */
  static void verify(AssociativeRecall task, Texts texts) {
    for (int i = 0; i < texts.asked().length; i++) {
      int at = (int) texts.asked()[i];
      int start = at / task.length() * task.length();
      var values = new HashMap<Long, Long>();
      for (int pair = 0; pair < task.pairs(); pair++) values.put(texts.ids()[start + 2 * pair], texts.ids()[start + 2 * pair + 1]);
      var value = values.get(texts.ids()[at]);
      if (values.size() != task.pairs() || value == null || value != texts.answers()[i]) {
        throw new IllegalStateException("the text at " + start + " does not say what it asks for");
      }
    }
  }
}
