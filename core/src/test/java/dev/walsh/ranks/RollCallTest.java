package dev.walsh.ranks;

import dev.walsh.config.UserError;
import dev.walsh.ranks.Message.Kind;
import dev.walsh.tensor.Together;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class RollCallTest {
  private static final RollCall.Patience USUAL = RollCall.Patience.USUAL;
  private static final RollCall.Patience SHORT = new RollCall.Patience(Duration.ofSeconds(2), Duration.ofSeconds(1), Duration.ZERO);

  private final int port = Together.freePort();
  private final List<RollCall> open = new ArrayList<>();
  private final CompletableFuture<UserError> hang = new CompletableFuture<>();

  private Callable<RollCall> rank(int rank, int size, RollCall.Patience patience) {
    return () -> {
      var roll = RollCall.answer(new Rendezvous(rank, size, "127.0.0.1", port), patience, hang::complete);
      synchronized (open) {
        open.add(roll);
      }
      return roll;
    };
  }

  @SafeVarargs
  private static <T> List<Future<T>> all(Callable<T>... tasks) throws InterruptedException {
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      return threads.invokeAll(List.of(tasks));
    }
  }

  private static void failed(Future<?> rank, String... said) {
    assertThatThrownBy(rank::get).isInstanceOf(ExecutionException.class).cause().isInstanceOf(UserError.class).message().contains(said);
  }

  @AfterEach
  void leave() {
    open.forEach(RollCall::close);
  }

  @Test
  void allComeAndHearRankZero() throws Exception {
    var rolls = all(rank(2, 3, USUAL), rank(0, 3, USUAL), rank(1, 3, USUAL));
    for (var text : List.of("first", "", "the plan: {…}")) {
      assertThat(rolls.get(1).get().tell(text)).isEqualTo(text);
      for (int r : new int[] {0, 2}) assertThat(rolls.get(r).get().tell("not asked for")).isEqualTo(text);
    }
    for (var roll : rolls) assertThat(roll.get().address().isLoopbackAddress()).isTrue();
  }

  @Test
  void theRankThatDoesNotComeIsNamedToAll() throws Exception {
    var rolls = all(rank(0, 3, SHORT), rank(2, 3, SHORT));
    for (var roll : rolls) failed(roll, "rank 1 of 3 did not connect to 127.0.0.1:" + port + " within 2 s; start it");
  }

  @Test
  void nobodyAtTheAddressIsSaid() throws Exception {
    failed(all(rank(1, 2, SHORT)).getFirst(), "rank 0 of 2 did not answer at 127.0.0.1:" + port + " within 2 s (Connection refused)",
        "start it there with RANK=0");
  }

  @Test
  void ranksThatContradictEachOtherAreRefused() throws Exception {
    for (var roll : all(rank(0, 3, USUAL), rank(1, 3, USUAL), rank(1, 3, USUAL))) failed(roll, "Two processes have RANK=1");
    for (var roll : all(rank(0, 2, USUAL), rank(1, 3, USUAL))) failed(roll, "WORLD_SIZE is 3 for rank 1 and 2 for rank 0");
  }

  @Test
  void aPortThatIsTakenIsSaid() throws Exception {
    all(rank(0, 2, USUAL), rank(1, 2, USUAL));
    try (var taken = new java.net.ServerSocket(0)) {
      assertThatThrownBy(() -> RollCall.answer(new Rendezvous(0, 2, "127.0.0.1", taken.getLocalPort()), SHORT, hang::complete))
          .isInstanceOf(UserError.class).hasMessageContaining("rank 0 cannot listen").hasMessageContaining("another MASTER_PORT");
    }
  }

  @Test
  void aStrangerAtThePortIsPassedOver() throws Exception {
    Callable<RollCall> afterAStranger = () -> {
      try (var socket = new Socket()) {
        while (!socket.isConnected()) {
          try {
            socket.connect(new java.net.InetSocketAddress("127.0.0.1", port));
          } catch (java.net.ConnectException e) {
            return rank(1, 2, USUAL).call();
          }
        }
        socket.getOutputStream().write("GET / HTTP/1.1\r\n\r\n".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        return rank(1, 2, USUAL).call();
      }
    };
    for (var roll : all(rank(0, 2, USUAL), afterAStranger)) assertThat(roll.get()).isNotNull();
  }

  @Test
  void aRankThatFallsSilentEndsTheWait() throws Exception {
    Callable<AutoCloseable> silent = () -> {
      while (true) {
        try {
          var peer = new Peer(new Socket("127.0.0.1", port));
          peer.send(new Message(Kind.HELLO, 1, "2"));
          return peer;
        } catch (java.net.ConnectException e) {
          Thread.sleep(20);
        }
      }
    };
    all(() -> rank(0, 2, SHORT).call(), silent);
    assertThat(hang.get(10, TimeUnit.SECONDS)).hasMessageContaining("rank 1 of 2 is gone (nothing was heard of it for 1 s)")
        .hasMessageContaining("--resume");
  }

  @Test
  void aRankThatLeavesEarlyIsNamedToAll() throws Exception {
    var rolls = all(rank(0, 3, USUAL), rank(1, 3, USUAL), rank(2, 3, USUAL));
    rolls.get(1).get().close();
    for (int r : new int[] {0, 2}) {
      assertThat(rolls.get(r).get().explain("Connection closed by peer"))
          .hasMessageContaining("rank 1 of 3 is gone (it left before the end");
    }
  }

  @Test
  void aRankThatHasFinishedIsNotMissed() throws Exception {
    var rolls = all(rank(0, 2, SHORT), rank(1, 2, SHORT));
    rolls.get(1).get().finish();
    rolls.get(1).get().close();
    assertThat(rolls.get(0).get().explain("the disk is full")).hasMessage(
        "rank 0 of 2 cannot reach the others (the disk is full); start all ranks again, with --resume");
    assertThat(hang).isNotDone();
  }
}
