/** What a run is made of: validated records, named presets, JSON, and the error that tells a user what to mend. */
@NullMarked
package dev.walsh.config;

import org.jspecify.annotations.NullMarked;
