/** Associative recall: what an attention can look up, by the size of what it remembers. */
@NullMarked
package dev.walsh.study.recall;

import org.jspecify.annotations.NullMarked;
