/**
 * The tables and figures of the paper (arXiv 2603.08343): what was published, what can be counted without training, and prefill and decoding
 * beside what was measured.
 */
@NullMarked
package dev.walsh.study.paper;

import org.jspecify.annotations.NullMarked;
