package dev.walsh.eval;

import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Runs sequences through a model, the longest first and padded on the right, where causal attention does not see the padding, in batches of so
 * many tokens, that short sequences go many at a time. Of each batch, only the hidden states that predict a scored token reach the head, and
 * the device is waited for once.
 */
final class Scorer {
  /** Bounds the logits that exist at a time, with their log-softmax in float32. */
  private static final long CUDA_LOGIT_BYTES = 2L << 30;
  private static final long CPU_LOGIT_BYTES = 128L << 20;

  private final Gpt model;
  private final Device device;
  private final int batchTokens;

  /** @param batchTokens how many tokens a batch has at most, padding included, unless one sequence has more */
  Scorer(Gpt model, Device device, int batchTokens) {
    this.model = model;
    this.device = device;
    this.batchTokens = batchTokens;
  }

  /** Takes the result of one sequence. */
  @FunctionalInterface
  interface Sink {
    void accept(int index, LogLikelihood scored);
  }

  /** @throws CancellationException where {@code stop} says so between two batches */
  void score(List<Sequence> sequences, BooleanSupplier stop, Sink sink) {
    int[] order = IntStream.range(0, sequences.size()).boxed()
        .sorted(Comparator.comparingInt(i -> -sequences.get(i).length())).mapToInt(Integer::intValue).toArray();
    for (int from = 0; from < order.length;) {
      if (stop.getAsBoolean()) throw new CancellationException("scoring was stopped");
      int rows = Math.max(1, batchTokens / sequences.get(order[from]).length());
      int to = Math.min(order.length, from + rows);
      int[] batch = Arrays.copyOfRange(order, from, to);
      score(Arrays.stream(batch).mapToObj(sequences::get).toList(), (row, scored) -> sink.accept(batch[row], scored));
      from = to;
    }
  }

  /** Scores one batch, its longest sequence first. */
  private void score(List<Sequence> batch, Sink sink) {
    int width = batch.getFirst().length();
    int scored = batch.stream().mapToInt(Sequence::scored).sum();
    var ids = new long[batch.size() * width];
    var positions = new long[scored];
    var targets = new long[scored];
    int at = 0;
    for (int row = 0; row < batch.size(); row++) {
      var sequence = batch.get(row);
      int length = sequence.length();
      for (int i = 0; i < length; i++) ids[row * width + i] = sequence.tokens()[i];
      for (int i = length - sequence.scored(); i < length; i++, at++) {
        positions[at] = (long) row * width + i;
        targets[at] = sequence.tokens()[i + 1];
      }
    }
    var found = run(ids, width, positions, targets);
    at = 0;
    for (int row = 0; row < batch.size(); row++) {
      double nats = 0;
      boolean greedy = true;
      for (int i = 0; i < batch.get(row).scored(); i++, at++) {
        nats += found[at];
        greedy &= found[scored + at] != 0;
      }
      sink.accept(row, new LogLikelihood(nats, greedy, batch.get(row).scored(), batch.get(row).truncated()));
    }
  }

  /** The log-probability of each target, and behind them all, for each, 1 where it is the likeliest and 0 elsewhere. */
  private double[] run(long[] ids, int width, long[] positions, long[] targets) {
    try (var scope = Scope.withoutGradients()) {
      var hidden = model.hidden(onDevice(ids, ids.length / width, width)).reshape(-1, model.config().width());
      var rows = hidden.index_select(0, onDevice(positions, positions.length));
      var wanted = onDevice(targets, targets.length, 1);
      var logProbabilities = new TensorVector();
      var hits = new TensorVector();
      int chunk = chunk(Dtype.of(hidden));
      for (int start = 0; start < targets.length; start += chunk) {
        int n = Math.min(chunk, targets.length - start);
        try (var inner = Scope.open()) {
          var target = wanted.narrow(0, start, n);
          var distribution = logSoftmax(model.logits(rows.narrow(0, start, n)));
          logProbabilities.push_back(inner.escape(distribution.gather(1, target).squeeze(1)));
          hits.push_back(
              inner.escape(distribution.argmax(new LongOptional(1), false).eq(target.squeeze(1)).to(distribution.scalar_type())));
        }
      }
      return Memory.doubles(torch.cat(new TensorVector(torch.cat(logProbabilities), torch.cat(hits))));
    }
  }

  /** (N,V) -> (N,V), in float32 or wider. */
  private static Tensor logSoftmax(Tensor logits) {
    var wide = Dtype.of(logits) == Dtype.F64 ? Dtype.F64 : Dtype.F32;
    return torch.log_softmax(logits, 1, new ScalarTypeOptional(wide.scalarType()));
  }

  private Tensor onDevice(long[] values, long... shape) {
    var onHost = Memory.tensor(values, shape);
    return device == Device.CPU ? onHost : onHost.to(device.options(Dtype.I64), false, false, null);
  }

  /** How many rows of logits may exist at a time. */
  private int chunk(Dtype dtype) {
    long row = (long) model.config().paddedVocabulary() * (dtype.bytes() + 2L * Math.max(dtype.bytes(), Dtype.F32.bytes()));
    return (int) Math.max(1, (device == Device.CUDA ? CUDA_LOGIT_BYTES : CPU_LOGIT_BYTES) / row);
  }
}
