/** The model's other kernels on the GPU: the loss, the optimizer. */
@NullMarked
package dev.walsh.kernels.nn;

import org.jspecify.annotations.NullMarked;
