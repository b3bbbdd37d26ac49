package dev.walsh.kernels.hla;

import dev.walsh.tensor.Scope;

/** A sequence in blocks of tokens, of which the last may be shorter; what is made for a block is freed with it. */
final class Blocks {
  private Blocks() {}

  /** What is done with a block. */
  @FunctionalInterface
  interface Visitor {
    void visit(long from, long tokens);
  }

  static void forward(long length, long block, Visitor visitor) {
    for (long from = 0; from < length; from += block) visit(from, length, block, visitor);
  }

  static void backward(long length, long block, Visitor visitor) {
    for (long i = Math.ceilDiv(length, block) - 1; i >= 0; i--) visit(i * block, length, block, visitor);
  }

  private static void visit(long from, long length, long block, Visitor visitor) {
    try (var scope = Scope.open()) {
      visitor.visit(from, Math.min(block, length - from));
    }
  }
}
