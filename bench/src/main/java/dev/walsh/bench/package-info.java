/** JMH benchmarks of the kernels, each beside the memory-bound loop that limits it. */
@NullMarked
package dev.walsh.bench;

import org.jspecify.annotations.NullMarked;
