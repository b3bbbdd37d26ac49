/** From a trained model of softmax attention to one of linear attention. */
@NullMarked
package dev.walsh.train.linearise;

import org.jspecify.annotations.NullMarked;
