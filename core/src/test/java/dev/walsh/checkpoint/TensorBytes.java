package dev.walsh.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** Tensors of any stored type from bytes and back, for tests that compare bit by bit. */
final class TensorBytes {
  private TensorBytes() {}

  /** A dense tensor of random bits: NaNs and infinities among them. */
  static Tensor random(StoredType type, List<Long> shape, long seed) {
    var tensor = torch.zeros(shape.stream().mapToLong(Long::longValue).toArray(), new TensorOptions(type.scalarType));
    if (tensor.nbytes() > 0) {
      var bytes = new byte[(int) tensor.nbytes()];
      new Random(seed).nextBytes(bytes);
      for (int i = 0; type == StoredType.BOOL && i < bytes.length; i++) {
        bytes[i] &= 1;
      }
      memory(tensor).copyFrom(MemorySegment.ofArray(bytes));
    }
    return tensor;
  }

  static Tensor zeros(StoredType type, long... shape) {
    return torch.zeros(shape, new TensorOptions(type.scalarType));
  }

  static byte[] of(Tensor tensor) {
    return tensor.nbytes() == 0 ? new byte[0] : memory(tensor.contiguous()).toArray(ValueLayout.JAVA_BYTE);
  }

  private static MemorySegment memory(Tensor tensor) {
    return MemorySegment.ofAddress(tensor.data_ptr().address()).reinterpret(tensor.nbytes());
  }
}
