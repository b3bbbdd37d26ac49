package dev.walsh.kernels.wht;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** What memory allows: copies of as many bytes as a kernel reads and writes. */
final class CopyLimit {
  private static final int PARTS = 4;

  private CopyLimit() {}

  /** Ways to copy a vector of so many elements: as a whole, and in quarters, whichever the device does faster. */
  static List<Runnable> ways(Device device, Dtype dtype, long elements) {
    var from = torch.randn(new long[] {elements}, device.options(dtype));
    var to = torch.empty_like(from);
    long part = Math.ceilDiv(elements, PARTS);
    var sources = new ArrayList<Tensor>();
    var targets = new ArrayList<Tensor>();
    for (long at = 0; at < elements; at += part) {
      sources.add(from.narrow(0, at, Math.min(part, elements - at)));
      targets.add(to.narrow(0, at, Math.min(part, elements - at)));
    }
    return List.of(() -> to.copy_(from), () -> {
      for (int i = 0; i < sources.size(); i++) targets.get(i).copy_(sources.get(i));
    });
  }
}
