/** Corpora, token shards, and a loader whose position is one number. */
@NullMarked
package dev.walsh.data;

import org.jspecify.annotations.NullMarked;
