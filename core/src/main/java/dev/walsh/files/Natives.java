package dev.walsh.files;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;
import org.bytedeco.javacpp.Loader;

/**
 * libtorch's natives, which JavaCPP unpacks when they are first used. Of processes that do so at once, each would write over files that another has
 * in memory, and end it; so they take turns.
 */
public final class Natives {
  private static final String LOCK = "walsh.lock";
  private static final Set<Class<?>> LOADED = new HashSet<>();

  private Natives() {}

  /**
   * Loads the libraries of some bindings, once.
   *
   * @throws LinkageError where one does not load
   */
  public static synchronized void load(Class<?> bindings) {
    if (LOADED.contains(bindings)) return;
    try (var file = FileChannel.open(Loader.getCacheDir().toPath().resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        var turn = file.lock()) {
      Loader.load(bindings);
    } catch (IOException e) {
      // What is unpacked loads from a folder that nobody can write to as well.
      Loader.load(bindings);
    }
    LOADED.add(bindings);
  }
}
