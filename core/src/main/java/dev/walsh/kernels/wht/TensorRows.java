package dev.walsh.kernels.wht;

import dev.walsh.config.UserError;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;

/**
 * The rows of two tensors between which a transform runs, found fit for it.
 *
 * @param in rows that are read
 * @param out rows that are written
 */
record TensorRows(Rows in, Rows out) {
  /** in, out: (…, d). */
  static TensorRows of(Tensor in, Tensor out, int width) {
    var type = type(in);
    if (!sameShape(in, out) || type != type(out)) {
      throw new UserError("The input is " + text(in) + " but the output " + text(out) + ": give the transform two tensors of one kind.");
    }
    var rows = new TensorRows(rows(in, width, type), rows(out, width, type));
    boolean same = rows.in.address() == rows.out.address() && (rows.in.stride() == rows.out.stride() || rows.in.count() <= 1);
    if (!same && !rows.in.apart(rows.out)) {
      throw new UserError("The input and the output of a transform overlap without being the same rows: give one tensor twice, or two"
          + " that share no memory.");
    }
    return rows;
  }

  static UserError elsewhere(String device) {
    return new UserError("The transform runs on " + device + " but a tensor lies elsewhere: move it there first.");
  }

  private static boolean sameShape(Tensor a, Tensor b) {
    if (a.dim() != b.dim()) return false;
    for (int i = 0; i < a.dim(); i++) {
      if (a.size(i) != b.size(i)) return false;
    }
    return true;
  }

  private static ElementType type(Tensor t) {
    try {
      return ElementType.of(Dtype.of(t));
    } catch (IllegalArgumentException e) {
      throw new UserError("A transform takes f32, f64, bf16 or f16, not " + t.scalar_type().intern() + ": convert the tensor first.", e);
    }
  }

  private static Rows rows(Tensor t, int width, ElementType type) {
    int last = (int) t.dim() - 1;
    if (last < 0 || t.size(last) != width) {
      throw new UserError("A transform of width " + width + " cannot take " + text(t) + ": the last dimension must be the width.");
    }
    if (width > 1 && t.stride(last) != 1 && t.numel() > 0) {
      throw new UserError("The last dimension of " + text(t) + " has stride " + t.stride(last)
          + ", but a transform needs a row's elements side by side: call contiguous() first.");
    }
    return new Rows(Memory.address(t), t.numel() / width, width, stride(t, last, width), type);
  }

  /** The one distance from row to row. */
  private static long stride(Tensor t, int last, int width) {
    long stride = 0;
    long inside = 1;
    for (int i = last - 1; i >= 0; i--) {
      if (t.size(i) == 1) continue;
      if (stride == 0) stride = t.stride(i);
      if (t.stride(i) != stride * inside || stride < width) {
        throw new UserError("The rows of " + text(t) + " do not lie one distance apart, or overlap: call contiguous() first.");
      }
      inside *= t.size(i);
    }
    return stride == 0 ? width : stride;
  }

  private static String text(Tensor t) {
    return Dtype.of(t) + Arrays.toString(t.shape());
  }
}
