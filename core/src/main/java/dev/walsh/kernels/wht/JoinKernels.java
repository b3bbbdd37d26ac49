package dev.walsh.kernels.wht;

import jdk.incubator.vector.FloatVector;

import static dev.walsh.kernels.wht.FloatSylvester.BYTES;
import static dev.walsh.kernels.wht.FloatSylvester.S;
import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

/** The element-wise loops of the fused operator over one float32 row; lengths are in bytes and multiples of a vector. */
final class JoinKernels {
  private JoinKernels() {}

  /** out = x + alpha ⊙ z + beta; returns the sum of squares of out. */
  static float residual(long z, long x, long alpha, long beta, long out, long bytes) {
    var squares = FloatVector.zero(S);
    for (long i = 0; i < bytes; i += BYTES) {
      var sum = fromMemorySegment(S, ALL, x + i, ORDER).add(fromMemorySegment(S, ALL, beta + i, ORDER));
      sum = fromMemorySegment(S, ALL, alpha + i, ORDER).fma(fromMemorySegment(S, ALL, z + i, ORDER), sum);
      squares = sum.fma(sum, squares);
      sum.intoMemorySegment(ALL, out + i, ORDER);
    }
    return FloatSylvester.sum(squares);
  }

  static float sumOfSquares(long x, long bytes) {
    var sum = FloatVector.zero(S);
    for (long i = 0; i < bytes; i += BYTES) {
      var v = fromMemorySegment(S, ALL, x + i, ORDER);
      sum = v.fma(v, sum);
    }
    return FloatSylvester.sum(sum);
  }

  /** out = inverse · x ⊙ gain. */
  static void normalise(long x, float inverse, long gain, long out, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      fromMemorySegment(S, ALL, x + i, ORDER).mul(inverse).mul(fromMemorySegment(S, ALL, gain + i, ORDER)).intoMemorySegment(ALL, out + i,
          ORDER);
    }
  }

  /** The sum of x ⊙ dn ⊙ gain. */
  static float pull(long x, long dn, long gain, long bytes) {
    var sum = FloatVector.zero(S);
    for (long i = 0; i < bytes; i += BYTES) {
      var weighted = fromMemorySegment(S, ALL, dn + i, ORDER).mul(fromMemorySegment(S, ALL, gain + i, ORDER));
      sum = fromMemorySegment(S, ALL, x + i, ORDER).fma(weighted, sum);
    }
    return FloatSylvester.sum(sum);
  }

  /** e = dxOut + inverse · dn ⊙ gain − pull · x, the gradient that reaches x. */
  static void reach(long x, long dxOut, long dn, long gain, float inverse, float pull, long e, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      var weighted = fromMemorySegment(S, ALL, dn + i, ORDER).mul(inverse).mul(fromMemorySegment(S, ALL, gain + i, ORDER));
      var through = fromMemorySegment(S, ALL, dxOut + i, ORDER).add(weighted);
      fromMemorySegment(S, ALL, x + i, ORDER).fma(FloatVector.broadcast(S, -pull), through).intoMemorySegment(ALL, e + i, ORDER);
    }
  }

  /** dAlpha += e ⊙ z, dBeta += e, dGain += inverse · dn ⊙ x, and z = e ⊙ alpha. */
  static void accumulate(long e, long z, long x, long dn, long alpha, float inverse, long dAlpha, long dBeta, long dGain, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      var v = fromMemorySegment(S, ALL, e + i, ORDER);
      v.fma(fromMemorySegment(S, ALL, z + i, ORDER), fromMemorySegment(S, ALL, dAlpha + i, ORDER)).intoMemorySegment(ALL, dAlpha + i,
          ORDER);
      v.add(fromMemorySegment(S, ALL, dBeta + i, ORDER)).intoMemorySegment(ALL, dBeta + i, ORDER);
      var unit = fromMemorySegment(S, ALL, x + i, ORDER).mul(inverse);
      unit.fma(fromMemorySegment(S, ALL, dn + i, ORDER), fromMemorySegment(S, ALL, dGain + i, ORDER)).intoMemorySegment(ALL, dGain + i,
          ORDER);
      v.mul(fromMemorySegment(S, ALL, alpha + i, ORDER)).intoMemorySegment(ALL, z + i, ORDER);
    }
  }
}
