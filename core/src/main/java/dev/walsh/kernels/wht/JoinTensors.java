package dev.walsh.kernels.wht;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** All that a join reads, at random, and all that it writes: matrices (rows, d), weights and their gradients (d). */
final class JoinTensors {
  final long rows;
  final Tensor y;
  final Tensor x;
  final Tensor dxOut;
  final Tensor dn;
  final Tensor xOut;
  final Tensor n;
  final Tensor dy;
  final Tensor dx;
  final Tensor alpha;
  final Tensor beta;
  final Tensor gain;
  final Tensor dAlpha;
  final Tensor dBeta;
  final Tensor dGain;

  JoinTensors(Device device, Dtype dtype, long rows, int width) {
    this.rows = rows;
    var matrix = new long[] {rows, width};
    y = torch.randn(matrix, device.options(dtype));
    x = torch.randn(matrix, device.options(dtype));
    dxOut = torch.randn(matrix, device.options(dtype));
    dn = torch.randn(matrix, device.options(dtype));
    xOut = torch.empty_like(y);
    n = torch.empty_like(y);
    dy = torch.empty_like(y);
    dx = torch.empty_like(y);
    // The CPU's join takes its weights in float32 at least, the GPU's in the dtype of the rows.
    var weights = device.options(device == Device.CUDA || dtype == Dtype.F64 ? dtype : Dtype.F32);
    alpha = torch.rand(new long[] {width}, weights);
    beta = torch.rand(new long[] {width}, weights);
    gain = torch.rand(new long[] {width}, weights);
    dAlpha = torch.empty_like(alpha);
    dBeta = torch.empty_like(alpha);
    dGain = torch.empty_like(alpha);
  }
}
