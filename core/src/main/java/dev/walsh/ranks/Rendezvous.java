package dev.walsh.ranks;

import dev.walsh.config.UserError;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where the processes of a job meet, and which of them this one is, as launchers of such jobs put it into the environment: {@code RANK},
 * {@code WORLD_SIZE}, {@code MASTER_ADDR}, {@code MASTER_PORT}.
 *
 * @param rank of this process, counted from 0
 * @param size the number of processes
 * @param host an address of rank 0's machine
 * @param port a port there on which rank 0 listens
 */
public record Rendezvous(int rank, int size, String host, int port) {
  /** A process that meets nobody. */
  public static final Rendezvous ALONE = new Rendezvous(0, 1, "localhost", 0);

  private static final String RANK = "RANK";
  private static final String SIZE = "WORLD_SIZE";
  private static final String HOST = "MASTER_ADDR";
  private static final String PORT = "MASTER_PORT";
  private static final int LAST_PORT = 65535;

  public Rendezvous {
    if (size < 1) throw new UserError(SIZE + " is " + size + "; give the number of processes, at least 1");
    if (rank < 0 || rank >= size) {
      throw new UserError(RANK + " is " + rank + ", but " + SIZE + " is " + size + ": number the processes from 0 to " + (size - 1));
    }
  }

  /** Reads the environment; a process is alone where it has no rank, or a job of one. */
  public static Rendezvous of(Map<String, String> environment) {
    if (!environment.containsKey(RANK) && number(SIZE, environment.getOrDefault(SIZE, "1")) <= 1) return ALONE;
    int port = number(PORT, required(PORT, environment));
    if (port < 1 || port > LAST_PORT) throw new UserError(PORT + " is " + port + "; give a free port from 1 to " + LAST_PORT);
    return new Rendezvous(number(RANK, required(RANK, environment)), number(SIZE, required(SIZE, environment)), required(HOST, environment),
        port);
  }

  private static String required(String name, Map<String, String> environment) {
    var value = environment.get(name);
    if (value != null) return value;
    throw new UserError("The environment makes this process one of several, but " + name
        + " is missing; set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT for each of them, or none of the four");
  }

  private static int number(String name, String text) {
    try {
      return Integer.parseInt(text.strip());
    } catch (NumberFormatException e) {
      throw new UserError(name + " is '" + text + "'; give a whole number", e);
    }
  }

  /** What {@link #of} reads. */
  public Map<String, String> environment() {
    var environment = new LinkedHashMap<String, String>();
    environment.put(RANK, Integer.toString(rank));
    environment.put(SIZE, Integer.toString(size));
    environment.put(HOST, host);
    environment.put(PORT, Integer.toString(port));
    return environment;
  }

  public boolean isAlone() {
    return size == 1;
  }

  /** The address, as HOST:PORT. */
  String address() {
    return host + ":" + port;
  }

  /** A rank, as {@code rank 1 of 2}. */
  String name(int which) {
    return "rank " + which + " of " + size;
  }
}
