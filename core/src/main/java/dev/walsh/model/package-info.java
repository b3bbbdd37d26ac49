/**
 * The GPT and its parts. Shape letters: B batch, T time, C = d width, H heads, D = C / H head dimension, V padded vocabulary,
 * F hidden width of the MLP.
 */
@NullMarked
package dev.walsh.model;

import org.jspecify.annotations.NullMarked;
