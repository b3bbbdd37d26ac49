package dev.walsh.checkpoint;

import org.bytedeco.pytorch.global.torch.ScalarType;

/** The element types of a safetensors file that libtorch computes with, under the names that the format gives them. */
enum StoredType {
  F64(ScalarType.Double, 8), F32(ScalarType.Float, 4), F16(ScalarType.Half, 2), BF16(ScalarType.BFloat16, 2),
  I64(ScalarType.Long, 8), I32(ScalarType.Int, 4), I16(ScalarType.Short, 2), I8(ScalarType.Char, 1),
  U8(ScalarType.Byte, 1), BOOL(ScalarType.Bool, 1);

  final ScalarType scalarType;
  /** Size of one element. */
  final int bytes;

  StoredType(ScalarType scalarType, int bytes) {
    this.scalarType = scalarType;
    this.bytes = bytes;
  }

  /** The stored type of a libtorch type; an IllegalArgumentException where the file format of walsh has none (complex, quantised). */
  static StoredType of(ScalarType scalarType) {
    for (var type : values()) {
      if (type.scalarType == scalarType.intern()) {
        return type;
      }
    }
    throw new IllegalArgumentException("tensors of type " + scalarType.intern() + " are not stored");
  }
}
