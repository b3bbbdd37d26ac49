package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** The loss of the head against plain loops, and the kernel against libtorch: loss, both gradients, in chunks and whole. */
final class CrossEntropyTest {
  private static final long WHOLE = Long.MAX_VALUE;

  /** The inputs of one case, leaves of the graph. */
  private record Case(Tensor hidden, Tensor embedding, Tensor targets) {
    static Case random(Device device, Dtype dtype, int rows, int width, int vocabulary) {
      var random = new Random(rows + vocabulary);
      var hidden = Memory.tensor(random.doubles((long) rows * width, -2, 2).toArray(), rows, width);
      var embedding = Memory.tensor(random.doubles((long) vocabulary * width, -1, 1).toArray(), vocabulary, width);
      var targets = Memory.tensor(random.longs(rows, 0, vocabulary).toArray(), rows);
      return new Case(leaf(hidden, device, dtype), leaf(embedding, device, dtype),
          targets.to(device.options(Dtype.I64), false, false, null));
    }

    private static Tensor leaf(Tensor values, Device device, Dtype dtype) {
      return values.to(device.options(dtype), false, true, null).set_requires_grad(true);
    }

    Case as(Device device, Dtype dtype) {
      return new Case(leaf(hidden.detach(), device, dtype), leaf(embedding.detach(), device, dtype),
          targets.to(device.options(Dtype.I64), false, false, null));
    }

    /** Loss, gradient of the hidden states, gradient of the embedding, in float64 on the CPU. */
    List<double[]> backward(Tensor loss) {
      loss.backward();
      return List.of(Memory.doubles(loss), Memory.doubles(hidden.grad()), Memory.doubles(embedding.grad()));
    }

    List<double[]> plain() {
      return backward(CrossEntropy.plain(hidden, embedding, targets));
    }

    List<double[]> fused(long chunkRows) {
      long bytes = chunkRows == WHOLE ? WHOLE : chunkRows * embedding.size(0) * Dtype.of(embedding).bytes();
      return backward(CrossEntropy.apply(hidden, embedding, targets, bytes));
    }
  }

  /** ‖a − b‖ / ‖b‖. */
  private static double distance(double[] a, double[] b) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < b.length; i++) {
      difference += (a[i] - b[i]) * (a[i] - b[i]);
      norm += b[i] * b[i];
    }
    return Math.sqrt(difference / norm);
  }

  /** The loss by its definition. */
  private static double reference(double[] hidden, double[] embedding, long[] targets, int width) {
    int vocabulary = embedding.length / width;
    double loss = 0;
    for (int row = 0; row < targets.length; row++) {
      var logits = new double[vocabulary];
      for (int v = 0; v < vocabulary; v++) {
        for (int c = 0; c < width; c++) logits[v] += hidden[row * width + c] * embedding[v * width + c];
      }
      loss += Math.log(Arrays.stream(logits).map(Math::exp).sum()) - logits[(int) targets[row]];
    }
    return loss / targets.length;
  }

  @ParameterizedTest
  @CsvSource({"1,1000", "7,1", "7,2", "7,3", "137,50"})
  void chunksOfRowsGiveTheLossOfItsDefinition(int rows, int chunkRows) {
    try (var scope = Scope.withoutGradients()) {
      var given = Case.random(Device.CPU, Dtype.F64, rows, 5, 13);
      double loss = CrossEntropy
          .plain(given.hidden, given.embedding, given.targets,
              chunkRows * CrossEntropy.plainBytes(given.embedding.size(0), Dtype.of(given.embedding)))
          .item_double();
      var ids = Memory.of(given.targets).toArray(ValueLayout.JAVA_LONG);
      assertThat(loss).isCloseTo(reference(Memory.doubles(given.hidden), Memory.doubles(given.embedding), ids, 5), offset(1e-13));
    }
  }

  @ParameterizedTest
  @CsvSource({"F32,1,8,64,1000000", "F32,3,24,61,2", "F32,137,40,257,50", "F32,137,64,50304,64", "BF16,1,64,64,1000000",
      "BF16,3,768,50304,2",
      "BF16,137,64,61,137", "BF16,137,72,1000,50", "BF16,300,768,50304,100", "BF16,64,64,50257,64", "BF16,64,64,128256,64"})
  void theKernelIsLibtorchsLoss(Dtype dtype, int rows, int width, int vocabulary, int chunkRows) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var given = Case.random(Device.CUDA, dtype, rows, width, vocabulary);
      var exact = given.as(Device.CPU, Dtype.F64).plain();
      var libtorch = given.as(Device.CUDA, dtype).plain();
      var fused = given.fused(chunkRows);
      for (int i = 0; i < exact.size(); i++) {
        double allowed = 1e-6 + 2 * distance(libtorch.get(i), exact.get(i));
        assertThat(distance(fused.get(i), exact.get(i))).as("loss, hidden, embedding: %d", i).isLessThan(allowed);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1,64,64,1000000", "3,24,61,2", "137,64,61,137", "137,72,1000,50", "64,64,50304,64", "70,768,1009,70"})
  void onTheCpuItIsLibtorchsLossToo(int rows, int width, int vocabulary, int chunkRows) {
    try (var scope = Scope.open()) {
      var given = Case.random(Device.CPU, Dtype.BF16, rows, width, vocabulary);
      var exact = given.as(Device.CPU, Dtype.F64).plain();
      var libtorch = given.as(Device.CPU, Dtype.BF16).plain();
      var fused = given.fused(chunkRows);
      for (int i = 0; i < exact.size(); i++) {
        double allowed = 1e-6 + 2 * distance(libtorch.get(i), exact.get(i));
        assertThat(distance(fused.get(i), exact.get(i))).as("loss, hidden, embedding: %d", i).isLessThan(allowed);
      }
    }
  }

  @Test
  void anIdOutsideOfTheVocabularySpoilsItsRowOnTheCpu() {
    try (var scope = Scope.open()) {
      var given = Case.random(Device.CPU, Dtype.BF16, 3, 8, 61);
      var sound = given.as(Device.CPU, Dtype.BF16).fused(WHOLE);
      given.targets.narrow(0, 1, 1).fill_(new Scalar(61));
      var broken = given.fused(WHOLE);
      assertThat(broken.get(0)).containsExactly(Double.NaN);
      assertThat(Arrays.copyOfRange(broken.get(1), 8, 16)).containsOnly(Double.NaN);
      assertThat(Arrays.copyOfRange(broken.get(1), 0, 8)).isEqualTo(Arrays.copyOfRange(sound.get(1), 0, 8));
    }
  }

  @ParameterizedTest
  @EnumSource(value = Dtype.class, names = {"F32", "BF16"})
  void chunksGiveWhatTheWholeGives(Dtype dtype) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var given = Case.random(Device.CUDA, dtype, 137, 64, 1000);
      var whole = given.as(Device.CUDA, dtype).fused(WHOLE);
      for (int chunkRows : new int[] {1, 50, 136}) {
        var chunked = given.as(Device.CUDA, dtype).fused(chunkRows);
        assertThat(distance(chunked.get(0), whole.get(0))).isLessThan(1e-6);
        assertThat(distance(chunked.get(1), whole.get(1))).isLessThan(dtype == Dtype.F32 ? 1e-6 : 1e-3);
        // The embedding's gradient is rounded after each chunk.
        assertThat(distance(chunked.get(2), whole.get(2))).isLessThan(dtype == Dtype.F32 ? 1e-6 : chunkRows == 1 ? 3e-2 : 5e-3);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Dtype.class, names = {"F32", "BF16"})
  void theGradientsAreThoseOfWhatFollows(Dtype dtype) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      // 15 elements and 61 columns leave a remainder of every vector.
      var given = Case.random(Device.CUDA, dtype, 3, 5, 61);
      var one = given.as(Device.CUDA, dtype);
      var gradients = one.backward(CrossEntropy.apply(one.hidden, one.embedding, one.targets));
      var scaled = given.backward(CrossEntropy.apply(given.hidden, given.embedding, given.targets).mul(new Scalar(0.25)));
      for (int i = 1; i < 3; i++) {
        assertThat(scaled.get(i)).containsExactly(Arrays.stream(gradients.get(i)).map(g -> 0.25 * g).toArray(), offset(1e-12));
      }
    }
  }

  @Test
  void anIdOutsideOfTheVocabularyIsNotANumberAndTouchesNoOtherRow() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      for (long wrong : new long[] {61, -1, 1L << 40, Long.MIN_VALUE}) {
        var given = Case.random(Device.CUDA, Dtype.F32, 3, 8, 61);
        var sound = given.as(Device.CUDA, Dtype.F32).fused(WHOLE);
        given.targets.narrow(0, 1, 1).fill_(new Scalar(wrong));
        var broken = given.fused(WHOLE);
        assertThat(broken.get(0)).containsExactly(Double.NaN);
        assertThat(Arrays.copyOfRange(broken.get(1), 8, 16)).containsOnly(Double.NaN);
        assertThat(Arrays.copyOfRange(broken.get(1), 0, 8)).isEqualTo(Arrays.copyOfRange(sound.get(1), 0, 8));
        assertThat(Arrays.copyOfRange(broken.get(1), 16, 24)).isEqualTo(Arrays.copyOfRange(sound.get(1), 16, 24));
      }
    }
  }

  @Test
  void aSecondBackwardIsRefused() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var given = Case.random(Device.CUDA, Dtype.F32, 3, 8, 61);
      var loss = CrossEntropy.apply(given.hidden, given.embedding, given.targets);
      loss.backward();
      assertThatThrownBy(loss::backward).hasMessageContaining("second backward");
    }
  }

  @Test
  void aGraphReplaysIt() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var given = Case.random(Device.CUDA, Dtype.BF16, 64, 64, 1000);
      var other = Case.random(Device.CUDA, Dtype.BF16, 64, 64, 999);
      Runnable work = () -> {
        try (var inner = Scope.open()) {
          CrossEntropy.apply(given.hidden, given.embedding, given.targets).backward();
        }
      };
      CudaGraph.warmUp(work);
      try (var graph = CudaGraph.capture(work)) {
        try (var inner = Scope.withoutGradients()) {
          given.hidden.copy_(other.hidden);
          given.hidden.mutable_grad().zero_();
          given.embedding.mutable_grad().zero_();
        }
        graph.replay();
        var eager = given.as(Device.CUDA, Dtype.BF16).fused(WHOLE);
        assertThat(Memory.doubles(given.hidden.grad())).isEqualTo(eager.get(1));
        assertThat(Memory.doubles(given.embedding.grad())).isEqualTo(eager.get(2));
      }
    }
  }
}
