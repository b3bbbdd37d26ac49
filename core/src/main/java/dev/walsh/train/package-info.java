/** The training step and the loop around it. */
@NullMarked
package dev.walsh.train;

import org.jspecify.annotations.NullMarked;
