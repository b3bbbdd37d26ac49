package dev.walsh.ranks;

import dev.walsh.config.UserError;
import dev.walsh.ranks.Message.Kind;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** How the ranks of a job come together: rank 0 listens until all others have said who they are, and says so to them. */
final class Gathering {
  private static final Duration RETRY = Duration.ofMillis(100);
  private static final Duration INTRODUCTION = Duration.ofSeconds(5);

  private final Rendezvous at;
  private final Duration patience;
  private final long end;

  private Gathering(Rendezvous at, Duration patience) {
    this.at = at;
    this.patience = patience;
    this.end = System.nanoTime() + patience.toNanos();
  }

  /** The connections that this rank holds: rank 0 one to each of the others, these one to rank 0. */
  static Map<Integer, Peer> connect(Rendezvous at, Duration patience) {
    var gathering = new Gathering(at, patience);
    return at.rank() == 0 ? gathering.receiveAll() : Map.of(0, gathering.arrive());
  }

  private Map<Integer, Peer> receiveAll() {
    var peers = new TreeMap<Integer, Peer>();
    try (var server = new ServerSocket()) {
      server.setReuseAddress(true);
      // A job of one machine is nothing that others should see.
      var here = new InetSocketAddress(at.host(), at.port());
      server.bind(!here.isUnresolved() && here.getAddress().isLoopbackAddress() ? here : new InetSocketAddress(at.port()));
      while (peers.size() < at.size() - 1) {
        server.setSoTimeout(millisLeft());
        introduce(new Peer(server.accept()), peers);
      }
      for (var peer : peers.values()) peer.send(Message.of(Kind.WELCOME, 0));
      return peers;
    } catch (SocketTimeoutException late) {
      throw refuseAll(peers, missing(peers) + " did not connect to " + at.address() + " within " + patience.toSeconds()
          + " s; start it with the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE, and let its network reach that port");
    } catch (IOException e) {
      throw refuseAll(peers, "rank 0 cannot listen at port " + at.port() + " (" + e.getMessage() + "); choose another MASTER_PORT");
    }
  }

  private void introduce(Peer peer, Map<Integer, Peer> peers) throws IOException {
    Message hello;
    try {
      hello = peer.receive(INTRODUCTION);
    } catch (IOException stranger) {
      peer.close();
      return;
    }
    var complaint = complaint(hello, peers.keySet());
    if (complaint != null) {
      refuse(peer, complaint);
      throw refuseAll(peers, complaint);
    }
    peers.put(hello.rank(), peer);
  }

  private @Nullable String complaint(Message hello, Set<Integer> present) {
    if (!hello.text().equals(Integer.toString(at.size()))) {
      return "WORLD_SIZE is " + hello.text() + " for rank " + hello.rank() + " and " + at.size() + " for rank 0; give all the same";
    }
    if (hello.rank() == 0 || present.contains(hello.rank())) {
      return "Two processes have RANK=" + hello.rank() + "; give each its own, from 0 to " + (at.size() - 1);
    }
    return null;
  }

  private static UserError refuseAll(Map<Integer, Peer> peers, String reason) {
    peers.values().forEach(peer -> refuse(peer, reason));
    return new UserError(reason);
  }

  private static void refuse(Peer peer, String reason) {
    try (peer) {
      peer.send(new Message(Kind.REFUSED, 0, reason));
    } catch (IOException gone) {
      // That one needs no reason any more.
    }
  }

  private String missing(Map<Integer, Peer> peers) {
    for (int rank = 1;; rank++) {
      if (!peers.containsKey(rank)) return at.name(rank);
    }
  }

  private Peer arrive() {
    var peer = reach();
    try {
      peer.send(new Message(Kind.HELLO, at.rank(), Integer.toString(at.size())));
      // Rank 0 may have begun to wait later than this one.
      var answer = peer.receive(patience.multipliedBy(2));
      if (answer.kind() == Kind.WELCOME) return peer;
      peer.close();
      throw new UserError(answer.text());
    } catch (IOException e) {
      throw new UserError(at.name(0) + " at " + at.address() + " ended the connection (" + e.getMessage()
          + ") before all ranks were there; see what it says", e);
    }
  }

  private Peer reach() {
    while (true) {
      var socket = new Socket();
      try {
        // Resolved anew each time, since a name may be known only once its machine is up.
        var address = new InetSocketAddress(at.host(), at.port());
        if (address.isUnresolved()) throw new UnknownHostException("the name is unknown");
        socket.connect(address, millisLeft());
        return new Peer(socket);
      } catch (IOException e) {
        closeQuietly(socket);
        if (System.nanoTime() > end - RETRY.toNanos()) {
          throw new UserError(
              at.name(0) + " did not answer at " + at.address() + " within " + patience.toSeconds() + " s (" + e.getMessage()
                  + "); start it there with RANK=0, or correct MASTER_ADDR and MASTER_PORT of rank " + at.rank(),
              e);
        }
        pause();
      }
    }
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // It was never open.
    }
  }

  private static void pause() {
    try {
      Thread.sleep(RETRY);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UserError("The start was interrupted before all ranks were there; start them again", e);
    }
  }

  private int millisLeft() {
    return (int) Math.max(1, (end - System.nanoTime()) / 1_000_000);
  }
}
