/** The cells of a study: how one is trained and evaluated, who trains which, and what is kept of it. */
@NullMarked
package dev.walsh.study.cells;

import org.jspecify.annotations.NullMarked;
