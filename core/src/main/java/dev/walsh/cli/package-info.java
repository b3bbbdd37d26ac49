/** The verbs of the command line, one class each: they read options, call one room, and print. */
@NullMarked
package dev.walsh.cli;

import org.jspecify.annotations.NullMarked;
