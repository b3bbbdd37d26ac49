package dev.walsh.kernels.wht;

import dev.walsh.kernels.wht.HadamardJoin.Weights;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** The checked arguments of one call of {@link HadamardJoin}: matrices to read and to write, weights, and where their gradients go. */
final class JoinCall {
  private final int width;
  private final List<Rows> inputs;
  private final List<Rows> outputs;
  private final List<Rows> weights;
  private final List<Rows> gradients;

  private JoinCall(int width, List<Rows> inputs, List<Rows> outputs, List<Rows> weights, List<Rows> gradients) {
    this.width = width;
    this.inputs = inputs;
    this.outputs = outputs;
    this.weights = weights;
    this.gradients = gradients;
    checkAliasing();
  }

  static JoinCall forward(int width, ElementType type, long rows, MemorySegment y, MemorySegment x, Weights weights, MemorySegment xOut,
      MemorySegment n) {
    return new JoinCall(width, List.of(matrix(y, rows, width, type), matrix(x, rows, width, type)),
        List.of(matrix(xOut, rows, width, type), matrix(n, rows, width, type)), vectors(weights, width, type), List.of());
  }

  static JoinCall backward(int width, ElementType type, long rows, MemorySegment y, MemorySegment xOut, Weights weights,
      MemorySegment dxOut, MemorySegment dn, MemorySegment dy, MemorySegment dx, Weights gradients) {
    return new JoinCall(width,
        List.of(matrix(y, rows, width, type), matrix(xOut, rows, width, type), matrix(dxOut, rows, width, type),
            matrix(dn, rows, width, type)),
        List.of(matrix(dy, rows, width, type), matrix(dx, rows, width, type)), vectors(weights, width, type),
        vectors(gradients, width, type));
  }

  private static Rows matrix(MemorySegment segment, long rows, int width, ElementType type) {
    return Rows.of(segment, rows, width, width, type);
  }

  private static List<Rows> vectors(Weights weights, int width, ElementType type) {
    var own = type == ElementType.F64 ? ElementType.F64 : ElementType.F32;
    return List.of(matrix(weights.alpha(), 1, width, own), matrix(weights.beta(), 1, width, own), matrix(weights.gain(), 1, width, own));
  }

  /** A matrix that is written may be one that is read, row for row; nothing else that is written may share memory with anything. */
  private void checkAliasing() {
    for (int i = 0; i < outputs.size(); i++) {
      var output = outputs.get(i);
      inputs.forEach(input -> input.checkAliasing(output));
      checkApart(output, outputs.subList(0, i));
      checkApart(output, weights);
    }
    for (int i = 0; i < gradients.size(); i++) {
      checkApart(gradients.get(i), gradients.subList(0, i));
      checkApart(gradients.get(i), outputs);
    }
  }

  private static void checkApart(Rows written, List<Rows> others) {
    if (!others.stream().allMatch(written::apart)) {
      throw new IllegalArgumentException("an output overlaps the weights or another output");
    }
  }

  /** What a row costs in memory traffic: all matrices. */
  long bytesPerRow() {
    return (long) width * y().type().bytes() * (inputs.size() + outputs.size());
  }

  Rows y() {
    return inputs.get(0);
  }

  Rows x() {
    return inputs.get(1);
  }

  /** x': the first output of forward, the second input of backward. */
  Rows xOut() {
    return gradients.isEmpty() ? outputs.get(0) : inputs.get(1);
  }

  Rows n() {
    return outputs.get(1);
  }

  Rows dxOut() {
    return inputs.get(2);
  }

  Rows dn() {
    return inputs.get(3);
  }

  Rows dy() {
    return outputs.get(0);
  }

  Rows dx() {
    return outputs.get(1);
  }

  Rows alpha() {
    return weights.get(0);
  }

  Rows beta() {
    return weights.get(1);
  }

  Rows gain() {
    return weights.get(2);
  }

  /** Writes the weights' gradients: the chunks' sums (alpha, beta and gain, each of length d) added in the order of the chunks. */
  void storeGradients(double[][] partial) {
    for (int i = 0; i < 3 * width; i++) {
      double sum = 0;
      for (var chunk : partial) {
        sum += chunk[i];
      }
      var gradient = gradients.get(i / width);
      gradient.type().store(gradient.address() + (long) (i % width) * gradient.type().bytes(), sum);
    }
  }
}
