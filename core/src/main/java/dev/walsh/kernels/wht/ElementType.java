package dev.walsh.kernels.wht;

import dev.walsh.tensor.Dtype;

/** The storage type of the elements of a row. bf16 and fp16 are held as shorts; arithmetic on them and on float32 is in float32. */
public enum ElementType {
  F32(4), F64(8), BF16(2), F16(2);

  private final int bytes;

  ElementType(int bytes) {
    this.bytes = bytes;
  }

  /** The type of a tensor's elements. */
  public static ElementType of(Dtype dtype) {
    return switch (dtype) {
      case F64 -> F64;
      case F32 -> F32;
      case BF16 -> BF16;
      case F16 -> F16;
      case I64, I8 -> throw new IllegalArgumentException("no transform of integers");
    };
  }

  /** The size of one element in bytes. */
  public int bytes() {
    return bytes;
  }

  /** The element at a native address, widened exactly. */
  double load(long address) {
    return switch (this) {
      case F32 -> RawMemory.getFloat(address);
      case F64 -> RawMemory.getDouble(address);
      case BF16 -> Float.intBitsToFloat(RawMemory.getShort(address) << 16);
      case F16 -> Float.float16ToFloat(RawMemory.getShort(address));
    };
  }

  /** Writes a value to a native address, rounded to nearest even (bf16 and fp16 by way of float32). */
  void store(long address, double value) {
    switch (this) {
      case F32 -> RawMemory.putFloat(address, (float) value);
      case F64 -> RawMemory.putDouble(address, value);
      case BF16 -> RawMemory.putShort(address, bf16((float) value));
      case F16 -> RawMemory.putShort(address, Float.floatToFloat16((float) value));
    }
  }

  private static short bf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
  }
}
