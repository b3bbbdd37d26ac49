package dev.walsh.tensor;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The element types that models compute and store in. */
public enum Dtype {
  F64("f64", 8, ScalarType.Double), F32("f32", 4, ScalarType.Float), BF16("bf16", 2, ScalarType.BFloat16), F16("f16", 2,
      ScalarType.Half),
  I64("i64", 8, ScalarType.Long), I8("i8", 1, ScalarType.Char);

  private final String shortName;
  private final int bytes;
  private final ScalarType scalarType;

  Dtype(String shortName, int bytes, ScalarType scalarType) {
    this.shortName = shortName;
    this.bytes = bytes;
    this.scalarType = scalarType;
  }

  /** The type of a tensor's elements. */
  public static Dtype of(Tensor t) {
    var type = t.scalar_type().intern();
    for (var dtype : values()) {
      if (dtype.scalarType == type) return dtype;
    }
    throw new IllegalArgumentException("no dtype for " + type);
  }

  /** Reads what {@link #toString} writes, such as bf16. */
  public static Dtype named(String name) {
    for (var dtype : values()) {
      if (dtype.shortName.equals(name)) return dtype;
    }
    throw new IllegalArgumentException("no dtype is named " + name);
  }

  /** The size of one element, in bytes. */
  public int bytes() {
    return bytes;
  }

  public ScalarType scalarType() {
    return scalarType;
  }

  @Override
  public String toString() {
    return shortName;
  }
}
