/** The processes of one job: how they find each other, watch each other, and are started on one machine. Nothing here knows of tensors. */
@NullMarked
package dev.walsh.ranks;

import org.jspecify.annotations.NullMarked;
