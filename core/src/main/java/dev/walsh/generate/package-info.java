/** Text from a trained model. */
@NullMarked
package dev.walsh.generate;

import org.jspecify.annotations.NullMarked;
