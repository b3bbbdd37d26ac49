/** Hardware, memory, timers, progress and result lines. */
@NullMarked
package dev.walsh.measure;

import org.jspecify.annotations.NullMarked;
