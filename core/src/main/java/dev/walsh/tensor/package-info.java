/** The only room that knows native lifetimes: scopes, weights, devices, dtypes, custom gradients. */
@NullMarked
package dev.walsh.tensor;

import org.jspecify.annotations.NullMarked;
