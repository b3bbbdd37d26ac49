/** Weights and run state on disk: safetensors, JSON beside them, checksums over all. */
@NullMarked
package dev.walsh.checkpoint;

import org.jspecify.annotations.NullMarked;
