package dev.walsh.tensor;

import dev.walsh.config.UserError;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedCollection;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.zip.CRC32;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The trainable tensors of a model, by name, in the order in which its parts made them.
 *
 * <p>Each weight has a master in float32 (or float64), which is what the optimizer moves and a checkpoint keeps, and a value in the dtype that
 * the model computes in, which is what forward reads and backward fills the gradient of. Where both dtypes are one, so are the tensors;
 * and so they are where nothing is to be trained.
 *
 * <p>Initial values depend on the seed and the name alone: two models that differ in one part agree in all others.
 */
public final class Weights {
  /** Whether weight decay applies: to matrices, never to gains, alpha and beta. */
  public enum Decay {
    DECAYED, FREE
  }

  /** One trainable tensor. */
  public record Weight(String name, Tensor value, Tensor master, Decay decay) {
    public long elements() {
      return master.numel();
    }
  }

  private final LinkedHashMap<String, Weight> byName = new LinkedHashMap<>();
  private final List<Tensor> fixed = new ArrayList<>();
  private final Map<String, Tensor> shared = new HashMap<>();
  private final Device device;
  private final Dtype dtype;
  private final Dtype masterDtype;
  // Null where the values will be loaded, and are not trained.
  private final @Nullable Long seed;
  // What becomes of the work that fills a new weight.
  private Consumer<Runnable> drawer = Runnable::run;

  private Weights(Device device, Dtype dtype, Dtype masterDtype, @Nullable Long seed) {
    this.device = device;
    this.dtype = dtype;
    this.masterDtype = masterDtype;
    this.seed = seed;
  }

  /** Weights to be trained. */
  public Weights(Device device, Dtype dtype, long seed) {
    this(device, dtype, dtype == Dtype.F64 ? Dtype.F64 : Dtype.F32, seed);
  }

  /** Weights to be run as they are loaded: without initial values, masters or gradients. */
  public static Weights toBeLoaded(Device device, Dtype dtype) {
    return new Weights(device, dtype, dtype, null);
  }

  public Device device() {
    return device;
  }

  /** The dtype that the model computes in. */
  public Dtype dtype() {
    return dtype;
  }

  /**
   * From here until what this returns is closed, initial values are put off, and then all cores draw them at once: the larger part of the
   * time that a large model takes to begin. Each weight has a generator of its own, so that they are what they would be otherwise.
   */
  public Together together() {
    var draws = new ArrayList<Runnable>();
    drawer = draws::add;
    return () -> {
      drawer = Runnable::run;
      try (var pool = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors())) {
        CompletableFuture.allOf(draws.stream().map(d -> CompletableFuture.runAsync(d, pool)).toArray(CompletableFuture[]::new)).join();
      }
    };
  }

  /** Weights that are made together. */
  @FunctionalInterface
  public interface Together extends AutoCloseable {
    @Override
    void close();
  }

  /** Where the names of a part begin. */
  public Path at(String name) {
    return new Path(name + ".");
  }

  public SequencedCollection<Weight> all() {
    return byName.sequencedValues();
  }

  /** The number of trainable scalars. */
  public long elements() {
    return all().stream().mapToLong(Weight::elements).sum();
  }

  /** The bytes of the constants that the parts of a model share. */
  public long sharedBytes() {
    return shared.values().stream().mapToLong(Tensor::nbytes).sum();
  }

  /** The masters by name: what a checkpoint keeps. */
  public Map<String, Tensor> masters() {
    var masters = new LinkedHashMap<String, Tensor>();
    byName.forEach((name, weight) -> masters.put(name, weight.master));
    return masters;
  }

  /**
   * Copies tensors of exactly these names and shapes into the masters and the values.
   *
   * @throws UserError listing every missing, unexpected or misshapen tensor
   */
  public void load(Map<String, Tensor> source) {
    copy(source, masters(), "the weights are those of another model");
    refresh();
  }

  /**
   * Copies tensors into those of exactly the same names and shapes.
   *
   * @throws UserError beginning with {@code complaint} and listing every missing, unexpected or misshapen tensor
   */
  public static void copy(Map<String, Tensor> source, Map<String, Tensor> target, String complaint) {
    check(source, target, complaint);
    try (var scope = Scope.withoutGradients()) {
      target.forEach((name, wanted) -> wanted.copy_(source.get(name)));
    }
  }

  /**
   * Checks that two sets of tensors have the same names and shapes.
   *
   * @throws UserError as {@link #copy}
   */
  public static void check(Map<String, Tensor> source, Map<String, Tensor> target, String complaint) {
    var wrong = new ArrayList<String>();
    target.forEach((name, wanted) -> {
      var given = source.get(name);
      if (given == null) {
        wrong.add(name + " is missing");
      } else if (!Arrays.equals(given.shape(), wanted.shape())) {
        wrong.add(name + " is " + Arrays.toString(given.shape()) + " instead of " + Arrays.toString(wanted.shape()));
      }
    });
    for (var name : source.keySet()) {
      if (!target.containsKey(name)) wrong.add(name + " is unexpected");
    }
    if (!wrong.isEmpty()) throw new UserError(complaint + ": " + summary(wrong));
  }

  private static String summary(List<String> wrong) {
    int shown = Math.min(wrong.size(), 8);
    return String.join(", ", wrong.subList(0, shown)) + (shown < wrong.size() ? " and " + (wrong.size() - shown) + " more" : "");
  }

  /**
   * Stores the matrices of weights that only run in another form, in place: what holds a value holds the new form then.
   *
   * @param source the matrices to be stored so, by name, as exact as there are; others stay as they are
   * @param form what makes the new form of a matrix (out,in), on its device
   */
  public void store(Map<String, Tensor> source, UnaryOperator<Tensor> form) {
    if (seed != null) throw new IllegalStateException("weights that are trained stay floats");
    for (var weight : all()) {
      var from = source.get(weight.name);
      if (from == null || weight.decay != Decay.DECAYED || weight.value.dim() != 2) continue;
      try (var scope = Scope.withoutGradients()) {
        weight.value.set_data(form.apply(from.to(device.options(Dtype.of(from)), false, false, null)));
      }
    }
  }

  /** The memory of the values, in bytes. */
  public long bytes() {
    return all().stream().mapToLong(w -> w.value.nbytes()).sum();
  }

  /** Rounds the masters into the values again, after the optimizer moved them. */
  public void refresh() {
    try (var scope = Scope.withoutGradients()) {
      for (var weight : all()) {
        if (weight.value != weight.master) weight.value.copy_(weight.master);
      }
    }
  }

  /** Frees the native memory now instead of when the garbage collector finds out. */
  public void close() {
    for (var weight : all()) {
      weight.value.close();
      if (weight.master != weight.value) weight.master.close();
    }
    fixed.forEach(Tensor::close);
    shared.values().forEach(Tensor::close);
  }

  /** A place in the tree of names. */
  public final class Path {
    private final String prefix;

    private Path(String prefix) {
      this.prefix = prefix;
    }

    public Path at(String name) {
      return new Path(prefix + name + ".");
    }

    /** The device the model lives on. */
    public Device device() {
      return device;
    }

    /** The dtype the model computes in. */
    public Dtype dtype() {
      return dtype;
    }

    /** A decayed matrix of normally distributed values. */
    public Tensor normal(String name, double deviation, long... shape) {
      return add(name, Decay.DECAYED, shape, (t, generator) -> t.normal_(0, deviation, generator));
    }

    /** A decayed matrix whose initial value is a function of as many normally distributed values. */
    public Tensor normal(String name, double deviation, UnaryOperator<Tensor> function, long... shape) {
      return normal(name, deviation, shape, function, shape);
    }

    /**
     * A decayed matrix whose initial value is a function of normally distributed ones.
     *
     * @param drawn the shape of those, so that a part of a matrix can begin as the whole does elsewhere
     */
    public Tensor normal(String name, double deviation, long[] drawn, UnaryOperator<Tensor> function, long... shape) {
      return add(name, Decay.DECAYED, shape,
          (t, generator) -> t.copy_(function.apply(torch.empty(drawn, t.options(), null).normal_(0, deviation, generator))));
    }

    /** A vector of one value, free of decay. */
    public Tensor constant(String name, double value, long... shape) {
      return add(name, Decay.FREE, shape, (t, _) -> t.fill_(new Scalar(value)));
    }

    /** A constant of the model, such as a matrix that is not learned: on its device and in its dtype, neither trained nor saved. */
    public Tensor fixed(double[] values, long... shape) {
      return fixed(dtype, values, shape);
    }

    /** A constant in a dtype of its own. */
    public Tensor fixed(Dtype dtype, double[] values, long... shape) {
      try (var scope = Scope.withoutGradients()) {
        var t = scope.keep(Memory.tensor(values, shape).to(device.options(dtype), false, true, null));
        fixed.add(t);
        return t;
      }
    }

    /** A constant that all parts of the model share: made when the first of them asks for it, and only where something is computed. */
    public Tensor shared(String name, Supplier<double[]> values, long... shape) {
      return shared.computeIfAbsent(name, _ -> {
        try (var scope = Scope.withoutGradients()) {
          var options = device.options(dtype);
          return scope.keep(device == Device.META
              ? torch.empty(shape, options, null)
              : Memory.tensor(values.get(), shape).to(options, false, true, null));
        }
      });
    }

    private Tensor add(String last, Decay decay, long[] shape, Initializer initializer) {
      var name = prefix + last;
      try (var scope = Scope.withoutGradients()) {
        var master = scope.escape(torch.empty(shape, device.options(masterDtype), null));
        var value = dtype == masterDtype ? master : scope.escape(torch.empty(shape, device.options(dtype), null));
        value.set_requires_grad(seed != null);
        var weight = new Weight(name, value, master, decay);
        if (byName.putIfAbsent(name, weight) != null) throw new IllegalStateException("two weights are named " + name);
        if (seed != null && device != Device.META) drawer.accept(() -> draw(weight, generator(name, seed), initializer));
        return value;
      }
    }

    /** Values are drawn on the CPU, so that they are the same on every device. */
    private void draw(Weight weight, Generator generator, Initializer initializer) {
      try (var scope = Scope.withoutGradients()) {
        var master = weight.master();
        var drawn = device == Device.CPU ? master : torch.empty(master.shape(), Device.CPU.options(masterDtype), null);
        initializer.fill(drawn, new GeneratorOptional(generator));
        if (drawn != master) master.copy_(drawn);
        if (weight.value() != master) weight.value().copy_(master);
      }
    }

    private Generator generator(String name, long seed) {
      var hash = new CRC32();
      hash.update(name.getBytes(StandardCharsets.UTF_8));
      return torch.createCPUGenerator(seed * 0x9E3779B97F4A7C15L + hash.getValue());
    }
  }

  @FunctionalInterface
  private interface Initializer {
    void fill(Tensor tensor, GeneratorOptional generator);
  }
}
