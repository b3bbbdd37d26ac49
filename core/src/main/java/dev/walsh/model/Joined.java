package dev.walsh.model;

import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/**
 * What a join leaves: the residual stream with a branch added, and its norm, which the next part reads.
 *
 * @param residual (B,T,C)
 * @param normed (B,T,C)
 * @param normedAgain computes {@code normed} once more, to the last bit the same, from what is kept for backward
 */
record Joined(Tensor residual, Tensor normed, Supplier<Tensor> normedAgain) {}
