package dev.walsh.kernels.wht;

import dev.walsh.config.UserError;
import dev.walsh.kernels.wht.Wht.Direction;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** What every {@link Wht} does to tensors, on any device, each implementation being a subclass. */
abstract class WhtTensorContract {
  abstract Wht create(HadamardFactors factors);

  abstract Device device();

  /** Whether the implementation computes in a dtype. */
  boolean takes(Dtype dtype) {
    return true;
  }

  private Wht create(int order) {
    return create(HadamardFactors.of(HadamardOrder.of(order)));
  }

  private Tensor random(Dtype dtype, long... shape) {
    return torch.rand(shape, device().options(Dtype.F64)).mul(new Scalar(2.0)).sub(new Scalar(1.0)).to(dtype.scalarType());
  }

  /** As large as another tensor and NaN everywhere, so that what is not written shows. */
  private static Tensor poisoned(Tensor like) {
    return torch.full_like(like, new Scalar(Double.NaN));
  }

  /** The product with the dense matrix, in float64. */
  private Tensor exact(Wht wht, Tensor in, Direction direction) {
    int d = wht.width();
    var h = Memory.tensor(wht.factors().dense(), d, d).to(device().options(Dtype.F64), false, false, null);
    return torch.matmul(in.to(Dtype.F64.scalarType()), direction == Direction.FORWARD ? h : h.t());
  }

  private static double largest(Tensor t) {
    return t.abs().max().item_double();
  }

  private static void assertClose(Tensor actual, Tensor exact, Dtype dtype) {
    double tolerance = switch (dtype) {
      case F64 -> 1e-13;
      case F32 -> 1e-6;
      case BF16 -> 0x1p-8;
      case F16 -> 0x1p-11;
      case I64, I8 -> throw new IllegalArgumentException();
    };
    double scale = Math.max(1, largest(exact));
    assertThat(largest(actual.to(Dtype.F64.scalarType()).sub(exact)) / scale).isLessThanOrEqualTo(tolerance);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8, 16, 32, 64, 256, 512, 1024, 12, 20, 24, 28, 36, 40, 44, 56, 60, 68, 80, 84, 96, 112, 176, 768, 1536})
  void isTheDenseProductForwardAndTransposed(int d) {
    checkProduct(HadamardFactors.of(HadamardOrder.of(d)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"144,12", "400,20", "768,12", "1536,16", "240,4"})
  void soItIsOverHeadsAndChannels(String shape) {
    var numbers = Arrays.stream(shape.split(",")).mapToInt(Integer::parseInt).toArray();
    checkProduct(HadamardFactors.of(numbers[0], numbers[1]));
  }

  private void checkProduct(HadamardFactors factors) {
    var wht = create(factors);
    try (var scope = Scope.withoutGradients()) {
      for (var dtype : List.of(Dtype.F32, Dtype.BF16)) {
        for (var direction : Direction.values()) {
          var in = random(dtype, 3, factors.order());
          var expected = exact(wht, in, direction);
          var out = poisoned(in);
          wht.transform(in, out, direction);
          assertClose(out, expected, dtype);
          wht.transform(in, in, direction);
          assertThat(torch.equal(in, out)).as("in place against apart").isTrue();
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Dtype.class, names = {"F64", "F32", "BF16", "F16"})
  void takesAnyNumberOfRowsWithAnyStride(Dtype dtype) {
    assumeTrue(takes(dtype), () -> "no kernel takes " + dtype);
    var wht = create(HadamardFactors.of(96, 8));
    for (int rows : new int[] {0, 1, 3, 63, 137, 1000}) {
      for (int gap : new int[] {0, 1, 2, 8}) {
        try (var scope = Scope.withoutGradients()) {
          var field = random(dtype, rows, 96 + gap);
          if (gap > 0) field.narrow(1, 96, gap).fill_(new Scalar(Double.NaN));
          var in = field.narrow(1, 0, 96);
          var expected = exact(wht, in, Direction.TRANSPOSE);
          var out = poisoned(field).narrow(1, 0, 96);
          wht.transform(in, out, Direction.TRANSPOSE);
          wht.transform(in, in, Direction.TRANSPOSE);
          if (rows == 0) continue;
          assertClose(out, expected, dtype);
          assertThat(torch.equal(in, out)).isTrue();
          if (gap > 0) assertThat(field.narrow(1, 96, gap).isnan().all().item_bool()).as("the gaps are left alone").isTrue();
        }
      }
    }
  }

  @Test
  void takesTensorsOfMoreDimensionsAndViewsThatStartAnywhere() {
    var wht = create(64);
    try (var scope = Scope.withoutGradients()) {
      var in = random(Dtype.BF16, 2, 5, 3, 64);
      var out = poisoned(in);
      wht.transform(in, out, Direction.FORWARD);
      assertClose(out, exact(wht, in, Direction.FORWARD), Dtype.BF16);
      var heads = random(Dtype.F32, 7, 4 * 64 + 1).narrow(1, 1, 4 * 64).narrow(1, 64, 64);
      var head = poisoned(heads);
      wht.transform(heads, head, Direction.FORWARD);
      assertClose(head, exact(wht, heads, Direction.FORWARD), Dtype.F32);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2560, 3072, 4096, 8192, 11264, 12288, 16384})
  void wideRowsComeBackFromTheTranspose(int d) {
    var wht = create(d);
    var h = HadamardMatrix.of(HadamardOrder.of(d));
    try (var scope = Scope.withoutGradients()) {
      for (var dtype : List.of(Dtype.F32, Dtype.BF16)) {
        var in = random(dtype, 5, d);
        var out = poisoned(in);
        wht.transform(in, out, Direction.FORWARD);
        for (int j : new int[] {0, 1, d / 3, d - 1}) {
          var column = new double[d];
          for (int i = 0; i < d; i++) column[i] = h.sign(i, j) / Math.sqrt(d);
          var on = Memory.tensor(column, d).to(device().options(Dtype.F64), false, false, null);
          assertClose(out.select(1, j), in.to(Dtype.F64.scalarType()).mv(on), dtype);
        }
        wht.transform(out, out, Direction.TRANSPOSE);
        double tolerance = dtype == Dtype.F32 ? 1e-5 : 0x1p-5;
        assertThat(largest(out.to(Dtype.F64.scalarType()).sub(in.to(Dtype.F64.scalarType())))).isLessThan(tolerance);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {12, 20, 256, 768, 2048})
  void everyBasisVectorComesBackFromTheTranspose(int d) {
    var wht = create(d);
    try (var scope = Scope.withoutGradients()) {
      var rows = torch.eye(d, device().options(Dtype.F32));
      wht.transform(rows, rows, Direction.FORWARD);
      wht.transform(rows, rows, Direction.TRANSPOSE);
      assertThat(largest(rows.sub(torch.eye(d, device().options(Dtype.F32))))).isLessThan(2e-6);
    }
  }

  /** bf16 and fp16 are the float64 result rounded but for ties that float32 sums decide otherwise, and so never worse than twice torch's own. */
  @ParameterizedTest
  @EnumSource(value = Dtype.class, names = {"BF16", "F16"})
  void halvesAreTheRoundedFloat64Results(Dtype dtype) {
    try (var scope = Scope.withoutGradients()) {
      for (int d : new int[] {256, 768, 1280}) {
        var wht = create(d);
        var in = random(dtype, 137, d);
        var out = poisoned(in);
        wht.transform(in, out, Direction.FORWARD);
        var exact = exact(wht, in, Direction.FORWARD);
        double same = out.eq(exact.to(dtype.scalarType())).to(Dtype.F64.scalarType()).mean().item_double();
        assertThat(same).isGreaterThanOrEqualTo(0.999);
        var matrix = Memory.tensor(wht.factors().dense(), d, d).to(device().options(dtype), false, false, null);
        double theirs = largest(torch.matmul(in, matrix).to(Dtype.F64.scalarType()).sub(exact));
        assertThat(largest(out.to(Dtype.F64.scalarType()).sub(exact))).isLessThanOrEqualTo(2 * theirs);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Dtype.class, names = {"F32", "BF16", "F16"})
  void nanAndInfinityPassThrough(Dtype dtype) {
    for (int d : new int[] {8, 20, 64, 256, 768}) {
      var wht = create(d);
      var h = HadamardMatrix.of(HadamardOrder.of(d));
      try (var scope = Scope.withoutGradients()) {
        var rows = random(dtype, 3, d);
        rows.select(0, 0).narrow(0, 5, 1).fill_(new Scalar(Double.NaN));
        rows.select(0, 1).narrow(0, 5, 1).fill_(new Scalar(Double.POSITIVE_INFINITY));
        wht.transform(rows, rows, Direction.FORWARD);
        assertThat(rows.select(0, 0).isnan().all().item_bool()).isTrue();
        var signs = new double[d];
        for (int j = 0; j < d; j++) signs[j] = h.sign(5, j) * Double.POSITIVE_INFINITY;
        var infinities = Memory.tensor(signs, d).to(device().options(dtype), false, false, null);
        assertThat(torch.equal(rows.select(0, 1), infinities)).isTrue();
        assertThat(torch.isfinite(rows.select(0, 2)).all().item_bool()).isTrue();
      }
    }
  }

  @Test
  void badTensorsAreRefusedInASentence() {
    var wht = create(16);
    try (var scope = Scope.withoutGradients()) {
      var rows = random(Dtype.F32, 4, 16);
      refuses(wht, random(Dtype.F32, 4, 8), random(Dtype.F32, 4, 8), "width 16 cannot take f32[4, 8]");
      refuses(wht, rows, random(Dtype.BF16, 4, 16), "two tensors of one kind");
      refuses(wht, rows, random(Dtype.F32, 3, 16), "two tensors of one kind");
      var integers = torch.zeros(new long[] {4, 16}, device().options(Dtype.I64));
      refuses(wht, integers, integers, "convert the tensor first");
      var across = random(Dtype.F32, 16, 4).t();
      refuses(wht, across, rows, "has stride 4");
      var overlapping = random(Dtype.F32, 5, 16);
      refuses(wht, overlapping.narrow(0, 0, 4), overlapping.narrow(0, 1, 4), "overlap");
      var expanded = random(Dtype.F32, 1, 16).expand(4, 16);
      refuses(wht, expanded, rows, "one distance apart");
      var uneven = random(Dtype.F32, 3, 4, 16).narrow(1, 0, 2);
      refuses(wht, uneven, random(Dtype.F32, 3, 2, 16), "one distance apart");
      var nowhere = torch.empty(new long[] {4, 16}, Device.META.options(Dtype.F32), null);
      refuses(wht, nowhere, nowhere, "lies elsewhere");
    }
  }

  private static void refuses(Wht wht, Tensor in, Tensor out, String message) {
    assertThatThrownBy(() -> wht.transform(in, out, Direction.FORWARD)).isInstanceOf(UserError.class).hasMessageContaining(message);
  }
}
