// AdamW with decoupled weight decay, after clipping by the global norm, over all weights of a model at once, with float arithmetic.
//
//   adamw_point(const Element** gradients, const Element* g0, ..., const Element* g15)
//   adamw_sum(const Weight* weights, const int2* pieces, const Element* const* gradients, long long first)
//   adamw_measure(const Weight* weights, const int2* pieces, const Element* const* gradients, float* partial, unsigned long long* done,
//                 const double* learningRate, float* stepCount, float* norm, Plan* plan, double beta1, double beta2, double weightDecay,
//                 double clip)
//   adamw_move(const Weight* weights, const int2* pieces, const Element* const* gradients, const Plan* plan, double beta1, double beta2,
//              double epsilon)
//
// adamw_point writes 16 of the gradients' addresses, which change from step to step, into their table: arguments of a launch need no memory
// that must outlive it. adamw_sum adds a pass: sum <- gradient if it is the first, else sum + gradient. adamw_measure finds the norm of all
// gradients and plans the step from it and the learning rate; it counts the step, unless the norm is not finite. adamw_move then moves
// moments, masters and values, or nothing.
//
// Weights are cut into pieces of PIECE elements, a block each: pieces[block] is the weight's index and the piece's place in it. The sums of
// squares of the pieces are added in their order, whichever block comes last to do it, so that the same gradients give the same bits.
//
// -DELEMENT     what gradients are stored in
// -DVALUE       F32, Bf16 or F16, what the model computes in; with F32 the master is the value, and Weight::value is not read
// -DVECTOR=4    (element.cu): gradients, sums, masters, moments and values begin at a multiple of 16 bytes
// -DTHREADS     threads a block, a multiple of 32, 1024 at most
// -DPIECE       elements a piece, a multiple of THREADS * VECTOR
// Launch a block a piece (adamw_point: a single thread). Before the first launch the host clears `done`.
#include "element.cu"

static_assert(VECTOR == 4, "a thread moves four elements at a time");
static_assert(PIECE % (THREADS * VECTOR) == 0, "the threads share a piece evenly");
constexpr int WARPS = THREADS / 32;

struct Weight {
  float* master;
  float* first;
  float* second;
  VALUE::Bits* value;
  float* sum;
  long long elements;
  long long decayed;
};

// What a step multiplies with; a gradient scale of zero means that nothing may move.
struct Plan {
  float gradientScale;
  float stepSize;
  float rootCorrection;
  float decay;
};

// Calls body(i, n) for the runs of n = 4 elements, or fewer at the end of the weight, that this thread has of its block's piece.
template <class Body>
__device__ __forceinline__ void eachRun(int2 piece, long long elements, Body body) {
  long long start = (long long)piece.y * PIECE;
  if (start + PIECE <= elements) {
#pragma unroll 4
    for (int i = threadIdx.x * VECTOR; i < PIECE; i += THREADS * VECTOR) {
      body(start + i, VECTOR);
    }
  } else {
    for (long long i = start + threadIdx.x * VECTOR; i < elements; i += THREADS * VECTOR) {
      body(i, i + VECTOR <= elements ? VECTOR : (int)(elements - i));
    }
  }
}

__device__ __forceinline__ void read(const Bits* from, int n, float* values) {
  if (n == VECTOR) {
    Vector::load(from).widen(values);
    return;
  }
#pragma unroll
  for (int k = 0; k < VECTOR; k++) {
    values[k] = k < n ? ELEMENT::widen(from[k]) : 0;
  }
}

__device__ __forceinline__ void readFloats(const float* from, int n, float* values) {
  if (n == VECTOR) {
    *reinterpret_cast<float4*>(values) = *reinterpret_cast<const float4*>(from);
    return;
  }
#pragma unroll
  for (int k = 0; k < VECTOR; k++) {
    values[k] = k < n ? from[k] : 0;
  }
}

__device__ __forceinline__ void writeFloats(const float* values, int n, float* to) {
  if (n == VECTOR) {
    *reinterpret_cast<float4*>(to) = *reinterpret_cast<const float4*>(values);
    return;
  }
#pragma unroll
  for (int k = 0; k < VECTOR; k++) {
    if (k < n) {
      to[k] = values[k];
    }
  }
}

template <class V = VALUE>
__device__ __forceinline__ void writeValues(const float* values, int n, typename V::Bits* to) {
  if constexpr (V::PER_UNIT == 2) {
    if (n == VECTOR) {
      *reinterpret_cast<uint2*>(to) = make_uint2(V::narrow(values[0], values[1]), V::narrow(values[2], values[3]));
      return;
    }
#pragma unroll
    for (int k = 0; k < VECTOR; k++) {
      if (k < n) {
        to[k] = V::narrow(values[k]);
      }
    }
  }
}

// The sum over the block, in every thread of its first warp.
__device__ __forceinline__ float total(float sum) {
  __shared__ float sums[32];
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, step);
  }
  if (threadIdx.x % 32 == 0) {
    sums[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  sum = threadIdx.x % 32 < WARPS ? sums[threadIdx.x % 32] : 0;
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, step);
  }
  __syncthreads();
  return sum;
}

extern "C" __global__ void adamw_point(const Bits** gradients, const Bits* g0, const Bits* g1, const Bits* g2, const Bits* g3,
    const Bits* g4, const Bits* g5, const Bits* g6, const Bits* g7, const Bits* g8, const Bits* g9, const Bits* g10, const Bits* g11,
    const Bits* g12, const Bits* g13, const Bits* g14, const Bits* g15) {
  const Bits* all[] = {g0, g1, g2, g3, g4, g5, g6, g7, g8, g9, g10, g11, g12, g13, g14, g15};
#pragma unroll
  for (int i = 0; i < 16; i++) {
    gradients[i] = all[i];
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) adamw_sum(const Weight* weights, const int2* pieces, const Bits* const* gradients,
    long long first) {
  int2 piece = pieces[blockIdx.x];
  Weight weight = weights[piece.x];
  const Bits* gradient = gradients[piece.x];
  eachRun(piece, weight.elements, [&](long long i, int n) {
    float g[VECTOR];
    read(gradient + i, n, g);
    if (!first) {
      float sum[VECTOR];
      readFloats(weight.sum + i, n, sum);
#pragma unroll
      for (int k = 0; k < VECTOR; k++) {
        g[k] += sum[k];
      }
    }
    writeFloats(g, n, weight.sum + i);
  });
}

extern "C" __global__ void __launch_bounds__(THREADS) adamw_measure(const Weight* weights, const int2* pieces,
    const Bits* const* gradients, float* partial, unsigned long long* done, const double* learningRate, float* stepCount, float* norm,
    Plan* plan, double beta1, double beta2, double weightDecay, double clip) {
  __shared__ bool last;
  int2 piece = pieces[blockIdx.x];
  const Bits* gradient = gradients[piece.x];
  float squares = 0;
  eachRun(piece, weights[piece.x].elements, [&](long long i, int n) {
    float g[VECTOR];
    read(gradient + i, n, g);
#pragma unroll
    for (int k = 0; k < VECTOR; k++) {
      squares += g[k] * g[k];
    }
  });
  squares = total(squares);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = squares;
    __threadfence();
    last = atomicAdd(done, 1ull) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) {
    return;
  }
  __threadfence();
  squares = 0;
  for (int i = threadIdx.x; i < gridDim.x; i += THREADS) {
    squares += __ldcg(partial + i);
  }
  squares = total(squares);
  if (threadIdx.x == 0) {
    float length = sqrtf(squares);
    Plan next = {};
    if (isfinite(length)) {
      double step = *stepCount + 1.0;
      *stepCount = (float)step;
      next.gradientScale = 1 / fmaxf(1, length / (float)clip);
      next.stepSize = (float)(*learningRate / (1 - pow(beta1, step)));
      next.rootCorrection = (float)sqrt(1 - pow(beta2, step));
      next.decay = (float)(*learningRate * weightDecay);
    }
    *norm = length;
    *plan = next;
    *done = 0;
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) adamw_move(const Weight* weights, const int2* pieces, const Bits* const* gradients,
    const Plan* plan, double beta1, double beta2, double epsilon) {
  Plan step = *plan;
  if (step.gradientScale == 0) {
    return;
  }
  int2 piece = pieces[blockIdx.x];
  Weight weight = weights[piece.x];
  const Bits* gradient = gradients[piece.x];
  float decay = weight.decayed ? step.decay : 0;
  float keep1 = (float)beta1;
  float keep2 = (float)beta2;
  float fresh1 = (float)(1 - beta1);
  float fresh2 = (float)(1 - beta2);
  float floor = (float)epsilon;
  eachRun(piece, weight.elements, [&](long long i, int n) {
    float g[VECTOR];
    float p[VECTOR];
    float m[VECTOR];
    float v[VECTOR];
    read(gradient + i, n, g);
    readFloats(weight.master + i, n, p);
    readFloats(weight.first + i, n, m);
    readFloats(weight.second + i, n, v);
#pragma unroll
    for (int k = 0; k < VECTOR; k++) {
      float scaled = g[k] * step.gradientScale;
      m[k] = keep1 * m[k] + fresh1 * scaled;
      v[k] = keep2 * v[k] + fresh2 * scaled * scaled;
      p[k] -= decay * p[k];
      p[k] -= step.stepSize * m[k] / (sqrtf(v[k]) / step.rootCorrection + floor);
    }
    writeFloats(m, n, weight.first + i);
    writeFloats(v, n, weight.second + i);
    writeFloats(p, n, weight.master + i);
    writeValues(p, n, weight.value + i);
  });
}
