/**
 * Hadamard linear attention. Shape letters: B batch, H heads, N tokens, D head width, G = B·H, F factors, r_i features of a factor, R entries
 * of their product, W columns that are summed (D values, the count, or both).
 */
@NullMarked
package dev.walsh.kernels.hla;

import org.jspecify.annotations.NullMarked;
