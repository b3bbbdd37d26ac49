/** What the JDK leaves out of files: durable and atomic writes, checksums, trees deleted, and failures said in words. */
@NullMarked
package dev.walsh.files;

import org.jspecify.annotations.NullMarked;
