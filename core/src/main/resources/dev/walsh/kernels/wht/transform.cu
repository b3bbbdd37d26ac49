// y = x * H or x * H^T on rows of bf16, fp16 or float, orthonormal, in natural order, float arithmetic, rounded once.
//
//   transform(const Element* x, Element* y, long long rows, long long xStride, long long yStride)
//
// Strides are in elements. y may be x itself (with the same stride), else the two are apart. NaN and infinities spread over their row.
//
// Compile with -DELEMENT, -DVECTOR (element.cu), the matrix with -DCHANNELS=1 (hadamard.cu), -DTRANSPOSE=0 or 1, and
//   -DRUN      neighbouring elements that a thread loads and mixes first, a multiple of VECTOR that divides the width d: 16, or 32 for
//              2-byte elements where d >= 8192; the greatest power of two that divides d where that is less
//   -DROWS     rows a block: the least power of two with ROWS * d / RUN >= 128
//   -DTHREADS  threads a block: ROWS * d / RUN rounded up to a multiple of 32, 1024 at most
// Launch ceil(rows / ROWS) blocks of THREADS threads with the dynamic shared memory that the module's global int sharedBytes states.
// The host launches nothing for no rows.
#include "element.cu"
#include "hadamard.cu"

constexpr int DONE = registerBits(RUN);
constexpr Plan PLAN = Plan::of(DONE);
using Shared = Layout<DONE>;
constexpr int POINTS = ROWS * WIDTH;

extern "C" __constant__ int sharedBytes = PLAN.count == 0 ? 0 : 4 * Shared::at(POINTS);

// One pass over the block's rows; the last writes to memory what it mixed, in runs of neighbouring elements across the threads.
template <int AT>
__device__ __forceinline__ void pass(float* values, Bits* y, long long yStride, int rows) {
  constexpr Pass PASS = PLAN.pass[AT];
  constexpr int RADIX = PASS.radix();
  constexpr int STRIDE = PASS.stride;
  __syncthreads();
#pragma unroll 1
  for (int tile = threadIdx.x; tile < POINTS / RADIX; tile += THREADS) {
    int first = tile % STRIDE + tile / STRIDE * (STRIDE * RADIX);
    float* from = values + Shared::at(first);
    float v[RADIX];
#pragma unroll
    for (int i = 0; i < RADIX; i++) {
      v[i] = from[Shared::at(i * STRIDE)];
    }
    mixTile<PASS.core, PASS.log2, TRANSPOSE>(v);
    if constexpr (AT + 1 < PLAN.count) {
#pragma unroll
      for (int i = 0; i < RADIX; i++) {
        from[Shared::at(i * STRIDE)] = v[i];
      }
    } else if (first / WIDTH < rows) {
      Bits* to = y + first / WIDTH * yStride + first % WIDTH;
#pragma unroll
      for (int i = 0; i < RADIX; i++) {
        to[i * STRIDE] = ELEMENT::narrow(v[i]);
      }
    }
  }
  if constexpr (AT + 1 < PLAN.count) {
    pass<AT + 1>(values, y, yStride, rows);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) transform(const Bits* x, Bits* y, long long rows, long long xStride,
    long long yStride) {
  extern __shared__ __align__(16) float values[];
  constexpr int RUNS = POINTS / RUN;
  constexpr int EACH = (RUNS + THREADS - 1) / THREADS;
  long long firstRow = (long long)blockIdx.x * ROWS;
  int present = rows - firstRow < ROWS ? (int)(rows - firstRow) : ROWS;
  x += firstRow * xStride;
  y += firstRow * yStride;

  // All loads of a thread are issued before the first is used.
  Vector loaded[EACH][RUN / VECTOR];
#pragma unroll
  for (int e = 0; e < EACH; e++) {
    int first = (threadIdx.x + e * THREADS) * RUN;
    int row = first / WIDTH;
#pragma unroll
    for (int i = 0; i < RUN / VECTOR; i++) {
      loaded[e][i] = row < present ? Vector::load(x + row * xStride + first % WIDTH + i * VECTOR) : Vector::zero();
    }
  }
#pragma unroll
  for (int e = 0; e < EACH; e++) {
    int first = (threadIdx.x + e * THREADS) * RUN;
    float v[RUN];
#pragma unroll
    for (int i = 0; i < RUN / VECTOR; i++) {
      loaded[e][i].widen(v + i * VECTOR);
    }
#pragma unroll
    for (int i = 0; i < RUN; i++) {
      v[i] *= ORTHONORMAL;
    }
    mixBits<RUN, DONE>(v);
    if constexpr (PLAN.count == 0) {
      if (first / WIDTH < present) {
#pragma unroll
        for (int i = 0; i < RUN / VECTOR; i++) {
          Vector::narrow(v + i * VECTOR).store(y + first / WIDTH * yStride + first % WIDTH + i * VECTOR);
        }
      }
    } else if (RUNS % THREADS == 0 || first < POINTS) {
      float* to = values + Shared::at(first);
#pragma unroll
      for (int i = 0; i < RUN; i++) {
        to[Shared::at(i)] = v[i];
      }
    }
  }
  if constexpr (PLAN.count > 0) {
    pass<0>(values, y, yStride, present);
  }
}
