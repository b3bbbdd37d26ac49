package dev.walsh.kernels.nn;

import dev.walsh.kernels.nn.AdamWUpdate.Parameter;
import dev.walsh.kernels.nn.AdamWUpdate.Settings;
import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** All updates against plain loops in float64, and ours against libtorch's. */
final class AdamWUpdateTest {
  private static final Settings SETTINGS = new Settings(0.9, 0.95, 0.1, 1e-8, 1);
  // A power of two, which float32 holds exactly.
  private static final double RATE = 0x1p-10;
  /** Less than a vector, a piece, a piece and a bit, several; every other one decays. */
  private static final int[] SIZES = {1, 3, 4, 137, 32768, 32771, 100_003};

  /** Weights of fixed sizes with their moments, some steps on their way so that no moment is zero. */
  private static final class Model {
    final Device device;
    final Dtype dtype;
    final List<Parameter> parameters = new ArrayList<>();
    final Tensor stepCount;
    final Tensor rate;

    Model(Device device, Dtype dtype, long steps) {
      this.device = device;
      this.dtype = dtype;
      var random = new Random(7);
      for (int size : SIZES) {
        var master = tensor(random.doubles(size, -1, 1).toArray(), dtype == Dtype.F64 ? Dtype.F64 : Dtype.F32);
        var first = tensor(random.doubles(size, -1e-3, 1e-3).toArray(), Dtype.of(master));
        var second = tensor(random.doubles(size, 1e-8, 1e-6).toArray(), Dtype.of(master));
        var value = Dtype.of(master) == dtype ? master : master.to(dtype.scalarType());
        parameters.add(new Parameter(master, value, first, second, parameters.size() % 2 == 0));
      }
      stepCount = torch.full(new long[] {}, new Scalar((double) steps), device.options(Dtype.F32));
      rate = torch.full(new long[] {}, new Scalar(RATE), device.options(Dtype.F64));
    }

    private Tensor tensor(double[] values, Dtype as) {
      return Memory.tensor(values, values.length).to(device.options(as), false, false, null);
    }

    List<Tensor> gradients(long seed, double size) {
      var random = new Random(seed);
      return parameters.stream().map(p -> tensor(random.doubles(p.master().numel(), -size, size).toArray(), dtype)).toList();
    }

    /** All that a step moves, as numbers. */
    List<double[]> state() {
      var all = new ArrayList<double[]>();
      for (var p : parameters) {
        for (var t : List.of(p.master(), p.value(), p.firstMoment(), p.secondMoment())) all.add(Memory.doubles(t));
      }
      all.add(Memory.doubles(stepCount));
      return all;
    }
  }

  private static void assertSame(List<double[]> actual, List<double[]> expected, double tolerance) {
    for (int i = 0; i < expected.size(); i++) {
      double largest = 0;
      double worst = 0;
      for (int k = 0; k < expected.get(i).length; k++) {
        largest = Math.max(largest, Math.abs(expected.get(i)[k]));
        worst = Math.max(worst, Math.abs(actual.get(i)[k] - expected.get(i)[k]));
      }
      assertThat(worst / largest).as("tensor %d: master, value, moments of each weight, then the step", i).isLessThan(tolerance);
    }
  }

  /** One step in plain loops; returns the norm. */
  private static double reference(List<double[]> state, List<double[]> gradients, Dtype dtype) {
    double squares = 0;
    for (var gradient : gradients) {
      for (double g : gradient) squares += g * g;
    }
    double norm = Math.sqrt(squares);
    double step = ++state.getLast()[0];
    for (int i = 0; i < gradients.size(); i++) {
      var master = state.get(4 * i);
      var value = state.get(4 * i + 1);
      var first = state.get(4 * i + 2);
      var second = state.get(4 * i + 3);
      for (int k = 0; k < master.length; k++) {
        double g = gradients.get(i)[k] / Math.max(1, norm / SETTINGS.clip());
        first[k] = SETTINGS.beta1() * first[k] + (1 - SETTINGS.beta1()) * g;
        second[k] = SETTINGS.beta2() * second[k] + (1 - SETTINGS.beta2()) * g * g;
        double root = Math.sqrt(second[k] / (1 - Math.pow(SETTINGS.beta2(), step)));
        if (i % 2 == 0) master[k] -= RATE * SETTINGS.weightDecay() * master[k];
        master[k] -= RATE * first[k] / (1 - Math.pow(SETTINGS.beta1(), step)) / (root + SETTINGS.epsilon());
        value[k] = dtype == Dtype.BF16 ? bf16(master[k]) : master[k];
      }
    }
    return norm;
  }

  /** Rounded to nearest, ties to even. */
  private static double bf16(double value) {
    int bits = Float.floatToIntBits((float) value);
    return Float.intBitsToFloat(bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000);
  }

  private static AdamWUpdate update(Model model, int passes) {
    return AdamWUpdate.create(model.device, model.parameters, SETTINGS, model.stepCount, passes);
  }

  @ParameterizedTest
  @CsvSource({"CPU,F64,0,1,1e-7", "CPU,F64,9,1e-3,1e-13", "CPU,F32,9,1,1e-6", "CPU,BF16,0,1,4e-3", "CPU,BF16,9,1e-3,4e-3",
      "CUDA,F32,0,1,1e-6",
      "CUDA,F32,9,1e-3,1e-6",
      "CUDA,BF16,0,1,4e-3", "CUDA,BF16,9,1e-3,4e-3"})
  void aStepIsThatOfItsDefinition(Device device, Dtype dtype, long steps, double size, double tolerance) {
    assumeTrue(device == Device.CPU || Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var model = new Model(device, dtype, steps);
      try (var update = update(model, 1)) {
        assertThat(update)
            .isInstanceOf(device == Device.CUDA ? FusedAdamW.class : dtype == Dtype.BF16 ? CpuAdamW.class : LibtorchAdamW.class);
        var gradients = model.gradients(1, size);
        var expected = model.state();
        double norm = reference(expected, gradients.stream().map(Memory::doubles).toList(), dtype);
        update.accumulate(gradients);
        assertThat(update.step(model.rate).item_double()).isCloseTo(norm, offset(1e-5 * norm));
        // A value may be rounded the other way where its master differs in its last bit.
        assertSame(model.state(), expected, tolerance);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"CUDA,F32,1", "CUDA,F32,3", "CUDA,BF16,1", "CUDA,BF16,3", "CPU,BF16,1", "CPU,BF16,3"})
  void twentyStepsAreThoseOfLibtorch(Device device, Dtype dtype, int passes) {
    assumeTrue(device == Device.CPU || Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var ours = new Model(device, dtype, 0);
      var theirs = new Model(device, dtype, 0);
      try (var fused = update(ours, passes); var plain = new LibtorchAdamW(theirs.parameters, SETTINGS, theirs.stepCount)) {
        for (int step = 0; step < 20; step++) {
          // Some are clipped and some are not.
          double size = step % 3 == 0 ? 1 : 1e-3;
          for (int pass = 0; pass < passes; pass++) {
            var gradients = ours.gradients(100 * step + pass, size);
            fused.accumulate(gradients);
            plain.accumulate(gradients.stream().map(Tensor::clone).toList());
          }
          double norm = plain.step(theirs.rate).item_double();
          assertThat(fused.step(ours.rate).item_double()).isCloseTo(norm, offset(1e-5 * norm));
        }
      }
      assertSame(ours.state(), theirs.state(), dtype == Dtype.F32 ? 1e-5 : 4e-3);
      for (int i = 0; i < ours.parameters.size(); i++) {
        var p = ours.parameters.get(i);
        assertThat(torch.equal(p.value(), p.master().to(dtype.scalarType()))).as("the value is the master, rounded").isTrue();
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Device.class, names = {"CPU", "CUDA"})
  void theSameGradientsGiveTheSameBits(Device device) {
    assumeTrue(device == Device.CPU || Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var states = new ArrayList<List<double[]>>();
      for (int run = 0; run < 3; run++) {
        var model = new Model(device, Dtype.BF16, 3);
        try (var update = update(model, 1)) {
          update.accumulate(model.gradients(5, 1));
          update.step(model.rate);
        }
        states.add(model.state());
      }
      assertSame(states.get(1), states.get(0), Double.MIN_VALUE);
      assertSame(states.get(2), states.get(0), Double.MIN_VALUE);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, 1e30})
  void aGradientThatIsNotFiniteMovesNothing(double wrong) {
    for (var device : Device.hasCuda() ? List.of(Device.CPU, Device.CUDA) : List.of(Device.CPU)) {
      try (var scope = Scope.open()) {
        var model = new Model(device, Dtype.BF16, 3);
        var before = model.state();
        try (var update = update(model, 1)) {
          var gradients = model.gradients(5, 1);
          gradients.get(5).narrow(0, 32770, 1).fill_(new Scalar(wrong));
          update.accumulate(gradients);
          assertThat(update.step(model.rate).item_double()).isNotFinite();
          assertSame(model.state(), before, Double.MIN_VALUE);
          update.accumulate(model.gradients(6, 1));
          assertThat(update.step(model.rate).item_double()).isFinite();
          assertThat(model.stepCount.item_double()).isEqualTo(4);
        }
      }
    }
  }

  @Test
  void gradientsMayBePiecesOfSomethingGreater() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var apart = new Model(Device.CUDA, Dtype.BF16, 3);
      var cut = new Model(Device.CUDA, Dtype.BF16, 3);
      var gradients = apart.gradients(5, 1);
      try (var first = update(apart, 1); var second = update(cut, 1)) {
        first.accumulate(gradients);
        first.step(apart.rate);
        second.accumulate(gradients.stream().map(AdamWUpdateTest::pieceOfAGreater).toList());
        second.step(cut.rate);
      }
      assertSame(cut.state(), apart.state(), Double.MIN_VALUE);
    }
  }

  private static Tensor pieceOfAGreater(Tensor gradient) {
    long n = gradient.numel();
    var greater = torch.empty(new long[] {n + 1}, gradient.options(), null);
    greater.narrow(0, 1, n).copy_(gradient);
    return greater.narrow(0, 1, n);
  }

  @Test
  void aGraphReplaysAStepAtTheRateOfTheMoment() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var replayed = new Model(Device.CUDA, Dtype.BF16, 0);
      var eager = new Model(Device.CUDA, Dtype.BF16, 0);
      var gradients = replayed.gradients(5, 1);
      try (var inGraph = update(replayed, 2); var plain = update(eager, 2)) {
        Runnable work = () -> {
          inGraph.accumulate(gradients);
          inGraph.accumulate(gradients);
          inGraph.step(replayed.rate);
        };
        CudaGraph.warmUp(work);
        try (var graph = CudaGraph.capture(work)) {
          for (int step = 0; step < 4; step++) {
            if (step == 2) {
              replayed.rate.fill_(new Scalar(1e-3));
              eager.rate.fill_(new Scalar(1e-3));
            }
            // The first step was the warm-up.
            if (step > 0) graph.replay();
            plain.accumulate(gradients);
            plain.accumulate(gradients);
            plain.step(eager.rate);
          }
        }
      }
      assertSame(replayed.state(), eager.state(), Double.MIN_VALUE);
    }
  }

  @ParameterizedTest
  @EnumSource(value = Device.class, names = {"CPU", "CUDA"})
  void aStepWithoutAPassIsRefused(Device device) {
    assumeTrue(device == Device.CPU || Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var model = new Model(device, Dtype.F32, 0);
      try (var update = update(model, 1)) {
        assertThatThrownBy(() -> update.step(model.rate)).hasMessageContaining("without a pass");
      }
    }
  }
}
