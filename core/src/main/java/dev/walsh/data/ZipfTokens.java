package dev.walsh.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;

/**
 * Shards of tokens drawn independently by Zipf's law: enough like text that a loader reads them as such and a model learns from them, for
 * benchmarks that must not depend on a download.
 */
public final class ZipfTokens {
  private ZipfTokens() {}

  /**
   * Writes a training and a validation shard of so many tokens each, below {@code vocabulary}, into an empty folder that is there; the same
   * ones each time.
   */
  public static void write(Path folder, int vocabulary, int tokens) throws IOException {
    var random = new Random(vocabulary);
    for (var split : new String[] {"train", "val"}) {
      var drawn = new char[tokens];
      // Of weight 1/r, ranks below r have the share log r / log V.
      for (int i = 0; i < tokens; i++) drawn[i] = (char) (Math.pow(vocabulary, random.nextDouble()) - 1);
      try (var shard = new ShardWriter(folder.resolve(split + "-00000.bin"), tokens)) {
        shard.append(drawn, 0, tokens);
        var unused = shard.finish();
      }
    }
  }
}
