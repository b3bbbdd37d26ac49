package dev.walsh.tensor;

import dev.walsh.config.UserError;
import dev.walsh.files.Natives;
import dev.walsh.ranks.Rendezvous;
import dev.walsh.ranks.RollCall;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.Backend;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_gloo;
import org.bytedeco.pytorch.global.torch_nccl;
import org.bytedeco.pytorch.nccl.ProcessGroupNCCL;

/**
 * One of several processes: libtorch's own operations between them (c10d), beside a {@link RollCall} that knows who is alive. The operations
 * themselves have all the time in the world, since a rank may rightly wait for one that validates or saves.
 */
final class RankGroup implements Ranks {
  private static final Duration UNBOUNDED = Duration.ofDays(1);

  private final Rendezvous at;
  private final RollCall roll;
  private final TCPStore store;
  private final Backend backend;

  private RankGroup(Rendezvous at, RollCall roll, TCPStore store, Backend backend) {
    this.at = at;
    this.roll = roll;
    this.store = store;
    this.backend = backend;
  }

  static RankGroup connect(Rendezvous at, Device device, RollCall.Patience patience, Consumer<UserError> onHang) {
    load(device);
    var roll = RollCall.answer(at, patience, onHang);
    try (var scope = Scope.withoutGradients()) {
      var store = scope.keep(store(at, roll));
      var backend = scope.keep(device == Device.CUDA ? nccl(at, store) : gloo(at, store, roll));
      var group = new RankGroup(at, roll, store, backend);
      group.meet(device);
      return group;
    } catch (UserError e) {
      roll.close();
      throw e;
    } catch (RuntimeException e) {
      var error = roll.explain(firstLine(e));
      error.addSuppressed(e);
      roll.close();
      throw error;
    }
  }

  private static void load(Device device) {
    try {
      Natives.load(device == Device.CUDA ? torch_nccl.class : torch_gloo.class);
    } catch (LinkageError e) {
      throw new UserError("Several processes need " + (device == Device.CUDA ? "NCCL" : "Gloo") + ", which does not load ("
          + e.getMessage() + "); install it where the dynamic linker finds it, or train in one process", e);
    }
  }

  /** Where libtorch's ranks find each other: on a port that is free on rank 0's machine, which rank 0 tells. */
  private static TCPStore store(Rendezvous at, RollCall roll) {
    if (at.rank() > 0) return new TCPStore(at.host(), options(Integer.parseInt(roll.tell("")), false));
    var store = new TCPStore(at.host(), options(0, true));
    roll.tell(Integer.toString(Short.toUnsignedInt(store.getPort())));
    return store;
  }

  private static TCPStoreOptions options(int port, boolean server) {
    return new TCPStoreOptions().port((short) port).isServer(server).waitWorkers(false).timeout(unbounded());
  }

  private static Milliseconds unbounded() {
    return new Milliseconds(UNBOUNDED.toMillis());
  }

  private static Backend nccl(Rendezvous at, TCPStore store) {
    var options = ProcessGroupNCCL.Options.create();
    options.timeout(unbounded());
    return new ProcessGroupNCCL(store, at.rank(), at.size(), options);
  }

  private static Backend gloo(Rendezvous at, TCPStore store, RollCall roll) {
    var options = ProcessGroupGloo.Options.create(unbounded());
    // Of several networks, the one through which the ranks found each other.
    options.devices().push_back(ProcessGroupGloo.createDeviceForHostname(roll.address().getHostAddress()));
    return new ProcessGroupGloo(store, at.rank(), at.size(), options);
  }

  /** The first operation makes the connections. */
  private void meet(Device device) {
    var present = torch.ones(new long[] {1}, device.options(Dtype.F32));
    sum(present);
    if (present.item_double() != size()) throw new IllegalStateException(size() + " ranks add up to " + present.item_double());
  }

  @Override
  public int rank() {
    return at.rank();
  }

  @Override
  public int size() {
    return at.size();
  }

  @Override
  public Pending beginSum(Tensor t) {
    return begin(() -> backend.allreduce(new TensorVector(t)));
  }

  @Override
  public void broadcast(Tensor t) {
    begin(() -> backend.broadcast(new TensorVector(t))).await();
  }

  private Pending begin(Supplier<Work> operation) {
    try (var scope = Scope.open()) {
      var work = scope.keep(explained(operation));
      return () -> {
        explained(work::_wait);
        work.close();
      };
    }
  }

  private <T> T explained(Supplier<T> operation) {
    try {
      return operation.get();
    } catch (RuntimeException e) {
      var error = roll.explain(firstLine(e));
      error.addSuppressed(e);
      throw error;
    }
  }

  private static String firstLine(RuntimeException e) {
    return e.getMessage() == null ? e.toString() : e.getMessage().lines().findFirst().orElse(e.toString());
  }

  @Override
  public String tell(String text) {
    return roll.tell(text);
  }

  @Override
  public void finish() {
    roll.finish();
  }

  @Override
  public void close() {
    roll.close();
    backend.close();
    store.close();
  }
}
