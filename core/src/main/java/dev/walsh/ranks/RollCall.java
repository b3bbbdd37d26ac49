package dev.walsh.ranks;

import dev.walsh.config.UserError;
import dev.walsh.ranks.Message.Kind;
import java.io.IOException;
import java.net.InetAddress;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What the ranks of a job know of each other, beside the tensors that they exchange: a star of plain connections around rank 0. Each rank
 * beats once a second, so that one which died, hangs, or left before the end is known by its number to all others within seconds; a
 * collective operation would only say that something is wrong, or wait for ever.
 */
public final class RollCall implements AutoCloseable {
  /**
   * How long a rank waits.
   *
   * @param connecting for all ranks to be there
   * @param silence for a sign of life of a rank
   * @param leaving for a failed operation to show which rank is lost, and for a run to end by itself once one is, before it is taken to hang
   */
  public record Patience(Duration connecting, Duration silence, Duration leaving) {
    public static final Patience USUAL = new Patience(Duration.ofSeconds(60), Duration.ofSeconds(20), Duration.ofSeconds(10));
  }

  private static final int BEATS = 20;
  // A process that was stopped and goes on finds its patience at an end, and the others' beats only then.
  private static final int TIMEOUTS = 2;

  private final Rendezvous at;
  private final Patience patience;
  private final Map<Integer, Peer> peers;
  private final Consumer<UserError> onHang;
  private final LinkedBlockingQueue<String> told = new LinkedBlockingQueue<>();
  private final AtomicReference<@Nullable UserError> loss = new AtomicReference<>();
  private final CountDownLatch lost = new CountDownLatch(1);
  private final CountDownLatch closed = new CountDownLatch(1);
  private volatile boolean finished;

  private RollCall(Rendezvous at, Patience patience, Map<Integer, Peer> peers, Consumer<UserError> onHang) {
    this.at = at;
    this.patience = patience;
    this.peers = peers;
    this.onHang = onHang;
  }

  /**
   * Waits until all ranks are there.
   *
   * @param onHang called where a rank was lost and this process does not end by itself, because it waits for that rank in native code
   * @throws UserError that names a rank which did not come, the address, and the seconds waited
   */
  public static RollCall answer(Rendezvous at, Patience patience, Consumer<UserError> onHang) {
    var roll = new RollCall(at, patience, Gathering.connect(at, patience.connecting()), onHang);
    roll.peers.forEach((rank, peer) -> Thread.ofVirtual().name("rank " + rank).start(() -> roll.listen(rank, peer)));
    Thread.ofVirtual().name("heartbeat").start(roll::beat);
    return roll;
  }

  /** This machine's address, as the other ranks reach it. */
  public InetAddress address() {
    return peers.values().iterator().next().here();
  }

  /** Rank 0 tells all others a text; they receive what it told them in the same order. All ranks call it, and all return the text. */
  public String tell(String text) {
    if (at.rank() == 0) {
      send(new Message(Kind.TOLD, 0, text));
      return text;
    }
    try {
      while (true) {
        var heard = told.poll(100, TimeUnit.MILLISECONDS);
        if (heard != null) return heard;
        var gone = loss.get();
        if (gone != null) throw gone;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while waiting for rank 0", e);
    }
  }

  /** What to say when an operation with the other ranks failed: which of them is gone, or, where all are there, the operation's own words. */
  public UserError explain(String symptom) {
    try {
      if (lost.await(patience.leaving().toMillis(), TimeUnit.MILLISECONDS)) {
        var gone = loss.get();
        if (gone != null) return gone;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return new UserError(at.name(at.rank()) + " cannot reach the others (" + symptom + "); start all ranks again, with --resume");
  }

  /** Says that this rank has done all it was there for. */
  public void finish() {
    finished = true;
    send(Message.of(Kind.DONE, at.rank()));
  }

  /** Leaves; without {@link #finish} before it, the others are told that this rank is lost to them. */
  @Override
  public void close() {
    if (closed.getCount() == 0) return;
    if (!finished && loss.get() == null) send(new Message(Kind.LOST, at.rank(), "it left before the end and has said why"));
    closed.countDown();
    for (var peer : peers.values()) {
      try {
        peer.close();
      } catch (IOException e) {
        // The connection is of no use any more.
      }
    }
  }

  private boolean isClosed() {
    return closed.getCount() == 0;
  }

  private void send(Message message) {
    for (var peer : peers.values()) {
      try {
        peer.send(message);
      } catch (IOException e) {
        // The listener at the same connection notices, and knows what it means.
      }
    }
  }

  private void beat() {
    try {
      while (!closed.await(patience.silence().toMillis() / BEATS, TimeUnit.MILLISECONDS))
        send(Message.of(Kind.BEAT, at.rank()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void listen(int rank, Peer peer) {
    int timeouts = 0;
    while (!isClosed()) {
      try {
        var message = peer.receive(patience.silence().dividedBy(TIMEOUTS));
        timeouts = 0;
        switch (message.kind()) {
          case TOLD -> told.add(message.text());
          case LOST -> lose(message.rank(), message.text());
          case DONE -> {
            return;
          }
          default -> {}
        }
      } catch (SocketTimeoutException e) {
        if (++timeouts == TIMEOUTS) lose(rank, "nothing was heard of it for " + patience.silence().toSeconds() + " s");
      } catch (IOException e) {
        if (!isClosed()) lose(rank, "its process at " + peer.there().getHostAddress() + " has ended");
        return;
      }
    }
  }

  private void lose(int rank, String how) {
    var error = new UserError(at.name(rank) + " is gone (" + how + "), and the others cannot go on without it; start all ranks again, with "
        + "--resume to go on from the last checkpoint");
    if (!loss.compareAndSet(null, error)) return;
    send(new Message(Kind.LOST, rank, how));
    lost.countDown();
    try {
      if (!closed.await(patience.leaving().toMillis(), TimeUnit.MILLISECONDS)) onHang.accept(error);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
