/** The tables and figures of the paper (arXiv 2603.08343): what was published, and what can be counted without training. */
@NullMarked
package dev.walsh.study.paper;

import org.jspecify.annotations.NullMarked;
