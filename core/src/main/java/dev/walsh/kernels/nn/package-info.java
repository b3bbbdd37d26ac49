/**
 * The operators of a transformer between its matrix products, each as one kernel and one node of the graph on the GPU. Shape letters: B batch,
 * T time, C width, H heads, D = C / H head dimension, F hidden width of the MLP, V vocabulary.
 */
@NullMarked
package dev.walsh.kernels.nn;

import org.jspecify.annotations.NullMarked;
