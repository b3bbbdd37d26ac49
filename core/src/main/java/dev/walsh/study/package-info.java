/** Arms trained side by side on the same data, and what may be concluded from them. */
@NullMarked
package dev.walsh.study;

import org.jspecify.annotations.NullMarked;
