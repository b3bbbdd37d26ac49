package dev.walsh.tensor;

import dev.walsh.ranks.Rendezvous;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;

/** Several ranks as threads of one process, joined by Gloo as processes would be. */
public final class Together {
  private Together() {}

  /** What a rank does. */
  @FunctionalInterface
  public interface Work<T> {
    T with(Ranks ranks) throws Exception;
  }

  /** What each of {@code size} ranks returned. */
  public static <T> List<T> run(int size, Work<T> work) {
    int port = freePort();
    var tasks = new ArrayList<Callable<T>>();
    for (int r = 0; r < size; r++) {
      var at = new Rendezvous(r, size, "127.0.0.1", port);
      tasks.add(() -> {
        try (var ranks = Ranks.connect(at, Device.CPU, error -> {
          throw error;
        })) {
          var result = work.with(ranks);
          ranks.finish();
          return result;
        }
      });
    }
    try (var threads = Executors.newFixedThreadPool(size)) {
      var results = new ArrayList<T>();
      for (var future : threads.invokeAll(tasks)) results.add(future.get());
      return results;
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A port of this machine that nobody uses. */
  public static int freePort() {
    try (var socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
