package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * AdamW over all weights of a model on the GPU, in two passes over memory: the norm of the gradients, then all the rest (30 bytes a weight
 * together, where gradients and values are bf16).
 *
 * <p>Gradients are read where backward left them. That is elsewhere in every step, and their addresses are launched into a table; gradients
 * that stayed in place would have to be cleared and added to, which moves 8 bytes a weight more.
 */
final class FusedAdamW implements AdamWUpdate {
  private static final int THREADS = 1024;
  private static final int PIECE = 32768;
  private static final int VECTOR = 4;
  private static final int ALIGNMENT = 16;
  // The number of addresses that adamw_point takes.
  private static final int POINTED = 16;

  private final Settings settings;
  private final Tensor stepCount;
  private final boolean summed;
  private final AdamWTables tables;
  private final CudaModule.Kernel point;
  private final CudaModule.Kernel sum;
  private final CudaModule.Kernel measure;
  private final CudaModule.Kernel move;
  private final Tensor gradientAddresses;
  private final Tensor partial;
  private final Tensor done;
  private final Tensor plan;
  private final Tensor norm;
  private final List<Tensor> held = new ArrayList<>();
  private int passes;

  /**
   * @param parameters as for {@link AdamWUpdate#create}, with float32 masters and values of one dtype
   * @param stepCount likewise
   * @param summed whether a step has more than one pass; their gradients are added up in float32
   * @throws dev.walsh.tensor.KernelUnavailable where the machine cannot
   */
  FusedAdamW(List<Parameter> parameters, Settings settings, Tensor stepCount, boolean summed) {
    this.settings = settings;
    this.stepCount = stepCount;
    this.summed = summed;
    var dtype = Dtype.of(parameters.getFirst().value());
    var ofPasses = compile(dtype, dtype);
    var ofStep = summed ? compile(Dtype.F32, dtype) : ofPasses;
    point = ofPasses.kernel("adamw_point", 0);
    sum = ofPasses.kernel("adamw_sum", 0);
    measure = ofStep.kernel("adamw_measure", 0);
    move = ofStep.kernel("adamw_move", 0);
    tables = new AdamWTables(parameters, PIECE, summed);
    try (var scope = Scope.withoutGradients()) {
      gradientAddresses = zeros(scope, Dtype.I64, Math.ceilDiv(parameters.size(), POINTED) * POINTED);
      partial = zeros(scope, Dtype.F32, tables.pieces());
      done = zeros(scope, Dtype.I64, 1);
      plan = zeros(scope, Dtype.F32, 4);
      norm = zeros(scope, Dtype.F32);
    }
  }

  private static CudaModule compile(Dtype gradients, Dtype values) {
    return KernelText.compile("adamw", gradients, VECTOR, "VALUE=" + KernelText.element(values), "THREADS=" + THREADS, "PIECE=" + PIECE);
  }

  private static Tensor zeros(Scope scope, Dtype dtype, long... shape) {
    return scope.keep(torch.zeros(shape, Device.CUDA.options(dtype)));
  }

  @Override
  public void accumulate(List<Tensor> gradients) {
    if (passes > 0 && !summed) throw new IllegalStateException("a second pass in a step of one");
    try (var scope = Scope.withoutGradients()) {
      var aligned = gradients.stream().map(FusedAdamW::aligned).toList();
      pointAt(aligned);
      if (summed) {
        sum.launch(tables.pieces(), THREADS, CudaModule.argument(tables.weights()), CudaModule.argument(tables.cut()),
            CudaModule.argument(gradientAddresses), passes == 0 ? 1 : 0);
      } else {
        for (var g : aligned) held.add(scope.keep(g));
      }
      passes++;
    }
  }

  /** What libtorch allocates is aligned; a piece of something greater need not be. */
  private static Tensor aligned(Tensor gradient) {
    var dense = gradient.contiguous();
    return CudaModule.argument(dense) % ALIGNMENT == 0 ? dense : dense.clone();
  }

  private void pointAt(List<Tensor> gradients) {
    for (int first = 0; first < gradients.size(); first += POINTED) {
      var arguments = new long[1 + POINTED];
      arguments[0] = CudaModule.argument(gradientAddresses) + (long) first * Long.BYTES;
      for (int i = 0; i < POINTED && first + i < gradients.size(); i++) arguments[1 + i] = CudaModule.argument(gradients.get(first + i));
      point.launch(1, 1, arguments);
    }
  }

  @Override
  public Tensor step(Tensor learningRate) {
    if (passes == 0) throw new IllegalStateException("a step without a pass before it");
    long weights = CudaModule.argument(tables.weights());
    long cut = CudaModule.argument(tables.cut());
    long gradients = CudaModule.argument(summed ? tables.sumAddresses() : gradientAddresses);
    long beta1 = Double.doubleToRawLongBits(settings.beta1());
    long beta2 = Double.doubleToRawLongBits(settings.beta2());
    measure.launch(tables.pieces(), THREADS, weights, cut, gradients, CudaModule.argument(partial), CudaModule.argument(done),
        CudaModule.argument(learningRate), CudaModule.argument(stepCount), CudaModule.argument(norm), CudaModule.argument(plan), beta1,
        beta2,
        Double.doubleToRawLongBits(settings.weightDecay()), Double.doubleToRawLongBits(settings.clip()));
    move.launch(tables.pieces(), THREADS, weights, cut, gradients, CudaModule.argument(plan), beta1, beta2,
        Double.doubleToRawLongBits(settings.epsilon()));
    release();
    passes = 0;
    return norm;
  }

  private void release() {
    held.forEach(Tensor::close);
    held.clear();
  }

  @Override
  public void close() {
    release();
    tables.close();
    for (var t : List.of(gradientAddresses, partial, done, plan, norm)) t.close();
  }
}
