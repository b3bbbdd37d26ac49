package dev.walsh.kernels.wht;

/** The storage type of the elements of a row. bf16 and fp16 are held as shorts; arithmetic on them and on float32 is in float32. */
public enum ElementType {
  F32(4), F64(8), BF16(2), F16(2);

  private final int bytes;

  ElementType(int bytes) {
    this.bytes = bytes;
  }

  /** The size of one element in bytes. */
  public int bytes() {
    return bytes;
  }

  /** The element at a native address, widened exactly. */
  double load(long address) {
    return switch (this) {
      case F32 -> Memory.getFloat(address);
      case F64 -> Memory.getDouble(address);
      case BF16 -> Float.intBitsToFloat(Memory.getShort(address) << 16);
      case F16 -> Float.float16ToFloat(Memory.getShort(address));
    };
  }

  /** Writes a value to a native address, rounded to nearest even (bf16 and fp16 by way of float32). */
  void store(long address, double value) {
    switch (this) {
      case F32 -> Memory.putFloat(address, (float) value);
      case F64 -> Memory.putDouble(address, value);
      case BF16 -> Memory.putShort(address, bf16((float) value));
      case F16 -> Memory.putShort(address, Float.floatToFloat16((float) value));
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
