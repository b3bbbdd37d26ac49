package dev.walsh.kernels.hla;

import dev.walsh.kernels.nn.AttentionBackend;
import dev.walsh.measure.Stopwatch;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.DoubleStream;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Hadamard linear attention by the clock: its output checked against float64 first, then timed, forward and forward with backward,
 * and so is libtorch's softmax attention.
 */
public final class AttentionBenchmark {
  private static final double TOLERANCE_BF16 = 1e-2;
  private static final double TOLERANCE_F32 = 1e-4;

  private AttentionBenchmark() {}

  /** What computes. */
  public enum Subject {
    /** The whole operator: feature maps, and the form that is chosen for as many tokens. */
    OPERATOR("hla, with maps"),
    /** From features on, by states: linear or in chunks. */
    STATES("hla, states"),
    /** From features on, by all pairs. */
    PAIRS("hla, pairs"),
    /** Softmax attention by flash attention; on the CPU what libtorch takes. */
    FLASH("softmax, flash"),
    /** Softmax attention by cuDNN. */
    CUDNN("softmax, cuDNN");

    private final String name;

    Subject(String name) {
      this.name = name;
    }

    public boolean isSoftmax() {
      return this == FLASH || this == CUDNN;
    }

    @Override
    public String toString() {
      return name;
    }
  }

  /**
   * Sequences to attend to.
   *
   * @param chunk C of causal states; 0 for the usual one
   */
  public record Case(HlaSpec spec, Dtype dtype, long batch, long length, long chunk) {
    long tokens() {
      return batch * length;
    }
  }

  /**
   * A subject's figures; times are medians of one call.
   *
   * @param chunk C of causal states, else 0
   * @param operations of one call, multiply-adds counted as two; softmax's own few aside
   * @param memory bytes beyond inputs, outputs and gradients; NaN where not known
   * @param error of what is computed from features on, ‖out − exact‖ / ‖exact‖; NaN for others
   */
  public record Row(Case shape, Subject subject, boolean backward, long chunk, double seconds, double operations, double memory,
      double error) {
    public double tokensPerSecond() {
      return shape.tokens() / seconds;
    }

    public double operationsPerSecond() {
      return operations / seconds;
    }
  }

  /** One way to attend: its output, from leaves whose gradients backward makes. */
  private record Way(Subject subject, Supplier<Tensor> attend, List<Tensor> leaves, Tensor upstream, double operations,
      double backwardOperations, long chunk, double error) {
    void run(boolean backward) {
      if (backward) {
        try (var scope = Scope.open()) {
          torch.grad(new TensorVector(attend.get()), new TensorVector(leaves.toArray(Tensor[]::new)), new TensorVector(upstream),
              new BoolOptional(), false, false);
        }
      } else {
        try (var scope = Scope.withoutGradients()) {
          var unused = attend.get();
        }
      }
    }

    /** The bytes of what a run leaves: the output, and gradients. */
    private double resultBytes(boolean backward) {
      return upstream.nbytes() + (backward ? leaves.stream().mapToDouble(Tensor::nbytes).sum() : 0);
    }
  }

  /**
   * Checks and times one case.
   *
   * @param mostPairs the most tokens of a sequence for which all pairs of Hadamard linear attention are timed too
   * @param withSoftmax whether softmax attention takes its turns
   * @throws IllegalStateException where a form is wrong
   */
  public static List<Row> run(Device device, Case shape, long mostPairs, boolean withSoftmax) {
    try (var scope = Scope.open()) {
      var ways = ways(device, shape, mostPairs, withSoftmax);
      var rows = new ArrayList<Row>();
      for (boolean backward : new boolean[] {false, true}) {
        var memory = ways.stream().mapToDouble(way -> memory(device, way, backward)).toArray();
        var seconds = DoubleStream.concat(seconds(device, ways, backward, false), seconds(device, ways, backward, true)).toArray();
        for (int i = 0; i < seconds.length; i++) {
          var way = ways.get(i);
          rows.add(new Row(shape, way.subject, backward, way.chunk, seconds[i],
              way.operations + (backward ? way.backwardOperations : 0), memory[i], way.error));
        }
      }
      return rows;
    }
  }

  /** Of those that are softmax attention, or of the others; softmax draws so much power that a GPU lowers its clocks. */
  private static DoubleStream seconds(Device device, List<Way> ways, boolean backward, boolean softmax) {
    var works = ways.stream().filter(way -> way.subject.isSoftmax() == softmax).<Runnable>map(way -> () -> way.run(backward)).toList();
    return Arrays.stream(Stopwatch.time(device, works)).map(nanoseconds -> nanoseconds * 1e-9);
  }

  private static List<Way> ways(Device device, Case shape, long mostPairs, boolean withSoftmax) {
    var spec = shape.spec;
    var hla = new Hla(spec, new Weights(device, shape.dtype, 1).at("attention"));
    var q = leaf(device, shape);
    var k = leaf(device, shape);
    var v = leaf(device, shape);
    var upstream = leaf(device, shape).detach();
    var cost = new HlaCost(spec);
    double batch = shape.batch;
    var states = spec.causal() ? Form.CHUNKED : Form.LINEAR;
    long chunk = shape.chunk > 0 ? shape.chunk : hla.usualChunk(v);
    var features = FeatureSample.of(hla, device, shape.dtype, shape.batch, shape.length);
    var ways = new ArrayList<Way>();
    long causalChunk = spec.causal() ? chunk : 0;
    ways.add(way(shape, Subject.STATES, () -> features.attend(states, chunk), features.leaves(), upstream,
        batch * forward(cost, states, shape.length, chunk), batch * backward(cost, states, shape.length, chunk), causalChunk,
        features.error(states, chunk)));
    if (shape.length <= mostPairs) {
      ways.add(way(shape, Subject.PAIRS, () -> features.attend(Form.QUADRATIC, 0), features.leaves(), upstream,
          batch * cost.forward(Form.QUADRATIC, shape.length), batch * cost.backward(Form.QUADRATIC, shape.length), 0,
          features.error(Form.QUADRATIC, 0)));
    }
    var chosen = hla.choose(v);
    double maps = cost.maps() * shape.tokens();
    var leaves = new ArrayList<>(List.of(q, k, v));
    ways.add(way(shape, Subject.OPERATOR, () -> hla.apply(q, k, v, null), leaves, upstream,
        batch * forward(cost, chosen, shape.length, hla.usualChunk(v)) + maps,
        batch * backward(cost, chosen, shape.length, hla.usualChunk(v)) + 2 * maps, 0, Double.NaN));
    double softmax = 4.0 * shape.tokens() * shape.length * spec.heads() * spec.headWidth() / (spec.causal() ? 2 : 1);
    for (var subject : new Subject[] {Subject.FLASH, Subject.CUDNN}) {
      if (!withSoftmax || !runs(device, subject, q, k, v)) continue;
      ways.add(way(shape, subject, () -> softmax(device, subject, q, k, v, spec.causal()), leaves, upstream, softmax, 2.5 * softmax, 0,
          Double.NaN));
    }
    return ways;
  }

  /** What the definition takes: of pairs in chunks those that are seen, of states none for the first chunk. */
  private static double forward(HlaCost cost, Form form, long n, long chunk) {
    if (form != Form.CHUNKED) return cost.forward(form, n);
    long c = Math.min(n, chunk);
    return (double) n / c * cost.forward(Form.QUADRATIC, c) + cost.forward(Form.LINEAR, n - c);
  }

  private static double backward(HlaCost cost, Form form, long n, long chunk) {
    if (form != Form.CHUNKED) return cost.backward(form, n);
    long c = Math.min(n, chunk);
    return (double) n / c * cost.backward(Form.QUADRATIC, c) + cost.backward(Form.LINEAR, n - c);
  }

  private static Way way(Case shape, Subject subject, Supplier<Tensor> forward, List<Tensor> leaves, Tensor upstream, double operations,
      double backwardOperations, long chunk, double error) {
    if (error > (shape.dtype == Dtype.BF16 ? TOLERANCE_BF16 : TOLERANCE_F32)) {
      throw new IllegalStateException(subject + " of " + shape + " is wrong: its error is " + error);
    }
    return new Way(subject, forward, leaves, upstream, operations, backwardOperations, chunk, error);
  }

  private static Tensor leaf(Device device, Case shape) {
    return torch.randn(new long[] {shape.batch, shape.spec.heads(), shape.length, shape.spec.headWidth()}, device.options(shape.dtype))
        .set_requires_grad(true);
  }

  private static boolean runs(Device device, Subject subject, Tensor q, Tensor k, Tensor v) {
    if (device != Device.CUDA) return subject == Subject.FLASH;
    backend(subject).enforceAlone();
    return backend(subject).runs(q, k, v);
  }

  private static AttentionBackend backend(Subject subject) {
    return subject == Subject.FLASH ? AttentionBackend.FLASH : AttentionBackend.CUDNN;
  }

  private static Tensor softmax(Device device, Subject subject, Tensor q, Tensor k, Tensor v, boolean causal) {
    if (device == Device.CUDA) backend(subject).enforceAlone();
    if (device == Device.CPU && Dtype.of(q) == Dtype.BF16) {
      // libtorch's kernel for bf16 takes several times as long there, and would be too easy to beat.
      var wide = Dtype.F32.scalarType();
      return softmax(device, subject, q.to(wide), k.to(wide), v.to(wide), causal).to(Dtype.BF16.scalarType());
    }
    return torch.scaled_dot_product_attention(q, k, v, new TensorOptional(), 0, causal, new DoubleOptional(), false);
  }

  /** The growth of the memory that libtorch holds over a first call, less what the call returns. */
  private static double memory(Device device, Way way, boolean backward) {
    if (device != Device.CUDA) return Double.NaN;
    // Kernels and the workspaces of libraries come with a first call.
    way.run(backward);
    device.freeUnused();
    long before = device.bytesInUse();
    way.run(backward);
    device.synchronize();
    return Math.max(0, device.bytesInUse() - before - way.resultBytes(backward));
  }
}
