/** The Walsh–Hadamard transform: its matrices, its kernels and their fused forms. */
@NullMarked
package dev.walsh.kernels.wht;

import org.jspecify.annotations.NullMarked;
