package dev.walsh.kernels.wht;

import dev.walsh.kernels.wht.HadamardJoinContract.Call;

/** The fused operator written out with the dense matrix, in float64: forward, and backward by the chain rule step by step. */
final class DenseJoin {
  private DenseJoin() {}

  /** In the order of {@link Call#results}; the norm and all gradients start from x' as the call stored it. */
  static double[][] run(Call call, HadamardFactors factors, int channels, double eps) {
    int d = call.d;
    var own = call.type == ElementType.F64 ? call.type : ElementType.F32;
    var y = Call.values(call.y, call.type, call.rows * d);
    var x = Call.values(call.x, call.type, call.rows * d);
    var stored = Call.values(call.xOut, call.type, call.rows * d);
    var dxOut = Call.values(call.dxOut, call.type, call.rows * d);
    var dn = Call.values(call.dn, call.type, call.rows * d);
    var alpha = Call.values(call.weights.alpha(), own, d);
    var beta = Call.values(call.weights.beta(), own, d);
    var gain = Call.values(call.weights.gain(), own, d);
    var matrix = HadamardMatrix.of(factors);
    var h = new double[d][d];
    for (int i = 0; i < d; i++) {
      for (int j = 0; j < d; j++) {
        h[i][j] = i % channels == j % channels ? matrix.sign(i / channels, j / channels) / Math.sqrt(factors.order()) : 0;
      }
    }
    var out = new double[][] {new double[call.rows * d], new double[call.rows * d], new double[call.rows * d], new double[call.rows * d],
        new double[d], new double[d], new double[d]};
    for (int row = 0; row < call.rows * d; row += d) {
      double squares = 0;
      for (int i = 0; i < d; i++) {
        squares += stored[row + i] * stored[row + i];
      }
      double rms = Math.sqrt(squares / d + eps);
      double projected = 0;
      for (int i = 0; i < d; i++) {
        projected += dn[row + i] * gain[i] * stored[row + i] / rms;
      }
      for (int j = 0; j < d; j++) {
        double z = 0;
        for (int i = 0; i < d; i++) {
          z += y[row + i] * h[i][j];
        }
        double unit = stored[row + j] / rms;
        double e = dxOut[row + j] + (dn[row + j] * gain[j] - unit * projected / d) / rms;
        out[0][row + j] = x[row + j] + alpha[j] * z + beta[j];
        out[1][row + j] = unit * gain[j];
        out[3][row + j] = e;
        out[4][j] += e * z;
        out[5][j] += e;
        out[6][j] += dn[row + j] * unit;
      }
      for (int i = 0; i < d; i++) {
        for (int j = 0; j < d; j++) {
          out[2][row + i] += out[3][row + j] * alpha[j] * h[i][j];
        }
      }
    }
    return out;
  }
}
