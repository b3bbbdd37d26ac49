package dev.walsh.measure;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.bytedeco.javacpp.Loader;

/** The folder into which JavaCPP unpacks libtorch's natives at their first use. */
final class Unpacking {
  private static final long CPU_BYTES = 1L << 30;
  private static final long CUDA_BYTES = 4L << 30;

  private Unpacking() {}

  static File folder() {
    try {
      return Loader.getCacheDir();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** An upper bound on the bytes that the natives take once unpacked. */
  static long bytesNeeded(String natives) {
    return "cuda".equals(natives) ? CUDA_BYTES : CPU_BYTES;
  }
}
