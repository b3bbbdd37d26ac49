/**
 * Scores of a language model on tasks: what continuations, choices and texts it finds likely, by the definitions of
 * lm-evaluation-harness.
 */
@NullMarked
package dev.walsh.eval;

import org.jspecify.annotations.NullMarked;
