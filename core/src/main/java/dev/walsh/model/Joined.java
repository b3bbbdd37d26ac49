package dev.walsh.model;

import org.bytedeco.pytorch.Tensor;

/**
 * What a join leaves: the residual stream with a branch added, and its norm, which the next part reads.
 *
 * @param residual (B,T,C)
 * @param normed (B,T,C)
 */
record Joined(Tensor residual, Tensor normed) {}
