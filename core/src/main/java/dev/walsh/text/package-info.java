/** Tokenizers: GPT-2's byte-pair encoding and plain bytes. */
@NullMarked
package dev.walsh.text;

import org.jspecify.annotations.NullMarked;
