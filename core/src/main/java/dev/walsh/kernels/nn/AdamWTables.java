package dev.walsh.kernels.nn;

import dev.walsh.kernels.nn.AdamWUpdate.Parameter;
import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.List;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** What {@code adamw.cu} reads of the weights, in memory of the GPU: where they lie, and how they are cut into pieces. */
final class AdamWTables implements AutoCloseable {
  /** Fields of a weight: addresses of master, moments, value and sum; elements; whether it decays. */
  private static final int FIELDS = 7;
  private static final int VECTOR = 4;

  private final int pieces;
  private final Tensor weights;
  private final Tensor cut;
  private final Tensor sums;
  private final Tensor sumAddresses;

  /** Float32 sums of gradients are set aside for each weight if {@code summed}. */
  AdamWTables(List<Parameter> parameters, int piece, boolean summed) {
    int n = parameters.size();
    var rows = new long[n * FIELDS];
    var addresses = new long[n];
    var cuts = LongStream.builder();
    try (var scope = Scope.withoutGradients()) {
      sums = scope.keep(torch.zeros(new long[] {summed ? parameters.stream().mapToLong(AdamWTables::room).sum() : 0},
          Device.CUDA.options(Dtype.F32)));
      // A tensor without elements has no address.
      long next = summed ? CudaModule.argument(sums) : 0;
      for (int i = 0; i < n; i++) {
        var p = parameters.get(i);
        long elements = p.master().numel();
        if (summed) {
          addresses[i] = next;
          next += room(p) * Dtype.F32.bytes();
        }
        long[] row = {CudaModule.argument(p.master()), CudaModule.argument(p.firstMoment()), CudaModule.argument(p.secondMoment()),
            CudaModule.argument(p.value()), addresses[i], elements, p.decayed() ? 1 : 0};
        System.arraycopy(row, 0, rows, i * FIELDS, FIELDS);
        for (long place = 0; place * piece < elements; place++) cuts.add(place << Integer.SIZE | i);
      }
      var cut = cuts.build().toArray();
      pieces = cut.length;
      this.cut = upload(scope, cut);
      weights = upload(scope, rows);
      sumAddresses = upload(scope, addresses);
    }
  }

  /** Elements set aside for a weight's sum, so that the next begins where a vector may. */
  private static long room(Parameter p) {
    return Math.ceilDiv(p.master().numel(), VECTOR) * VECTOR;
  }

  private static Tensor upload(Scope scope, long[] values) {
    return scope.keep(Memory.tensor(values, values.length).to(Device.CUDA.options(Dtype.I64), false, false, null));
  }

  /** The number of pieces in all. */
  int pieces() {
    return pieces;
  }

  /** The pieces' weights and places. */
  Tensor cut() {
    return cut;
  }

  /** The weights' addresses, sizes and decay. */
  Tensor weights() {
    return weights;
  }

  /** The addresses of the sums of gradients. */
  Tensor sumAddresses() {
    return sumAddresses;
  }

  @Override
  public void close() {
    for (var t : List.of(weights, cut, sums, sumAddresses)) t.close();
  }
}
