// Backward of the fused operator of join_forward.cu, in one pass over memory (12d bytes a row of 2-byte elements), with float arithmetic.
//
//   join_backward(const Element* y, const Element* xOut, const Element* dxOut, const Element* dn, const Element* alpha, const Element* gain,
//                 Element* dy, Element* dx, float* partial, long long rows, float eps)
//   join_reduce(const float* partial, int blocks, Element* dAlpha, Element* dBeta, Element* dGain)
//
// Rows are contiguous, (rows, d). An output may be an input, else all are apart. A null dxOut or dn is zero. join_backward leaves
// (blocks, 3, d) floats in partial, its blocks' sums of the weights' gradients; join_reduce adds them in a fixed order, so that the same
// grid gives the same bits; partial is aligned to 16 bytes. Without alpha, dAlpha is zero, and a plain join has dy = dx: y and dy are not
// touched.
//
// Defines and launch: rows.cu. join_reduce takes ceil(3d / 32) blocks of 1024 threads and no dynamic shared memory. For no rows the host
// launches neither and clears the gradients.
#include "rows.cu"

using JoinStage = Stage<4, 2>;

extern "C" __constant__ int sharedBytes = JoinStage::SHARED_BYTES;

// Stores the thread's columns of a row of floats, in pieces of 16 bytes where VECTOR allows: scattered words would cost a sector each.
__device__ __forceinline__ void storeFloats(const float (&owned)[OWNED], float* row) {
  constexpr int PIECE = VECTOR < 4 ? VECTOR : 4;
  struct alignas(4 * PIECE) Piece {
    float at[PIECE];
  };
#pragma unroll
  for (int i = 0; i < OWNED; i += PIECE) {
    if (Owned::has(i / VECTOR)) {
      Piece piece;
#pragma unroll
      for (int k = 0; k < PIECE; k++) {
        piece.at[k] = owned[i + k];
      }
      *reinterpret_cast<Piece*>(row + Owned::column(i / VECTOR) + i % VECTOR) = piece;
    }
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) join_backward(const Bits* y, const Bits* xOut, const Bits* dxOut,
    const Bits* dn, const Bits* alpha, const Bits* gain, Bits* dy, Bits* dx, float* partial, long long rows, float eps) {
  extern __shared__ __align__(16) float shared[];
  JoinStage stage(shared);
  auto fetch = [&](int buffer, long long row) {
    if constexpr (ALPHA) {
      stage.fetch(buffer, 0, y, row, rows);
    }
    stage.fetch(buffer, 1, xOut, row, rows);
    stage.fetch(buffer, 2, dn, row, rows);
    stage.fetch(buffer, 3, dxOut, row, rows);
  };
  long long step = (long long)gridDim.x * ROWS;
  long long row = (long long)blockIdx.x * ROWS;
  stage.begin(fetch, row);
  float a[OWNED];
  float g[OWNED];
  if constexpr (ALPHA) {
    loadWeights(alpha, a, ORTHONORMAL);
  }
  loadWeights(gain, g, 1);
  float dAlpha[OWNED] = {};
  float dBeta[OWNED] = {};
  float dGain[OWNED] = {};
  for (int turn = 0; row < rows; row += step, turn++) {
    int buffer = stage.advance(fetch, turn, row, step);
    // sums[2r] is the sum of x'^2, sums[2r + 1] that of x' * dn * gain.
    float sums[2 * ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float xs[OWNED];
      float ns[OWNED];
      stage.read(buffer, 1, r, xs);
      stage.read(buffer, 2, r, ns);
      sums[2 * r] = 0;
      sums[2 * r + 1] = 0;
#pragma unroll
      for (int i = 0; i < OWNED; i++) {
        sums[2 * r] += xs[i] * xs[i];
        sums[2 * r + 1] += xs[i] * ns[i] * g[i];
      }
    }
    offer(sums, shared + EXCHANGED);
    float v[ROWS][OWNED];
    if constexpr (ALPHA) {
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        stage.read(buffer, 0, r, v[r]);
      }
      mix<false>(v, shared);
    }
    if constexpr (!ALPHA || PLAN.count == 0) {
      __syncthreads();
    }
    totals(sums, shared + EXCHANGED);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float inverse = rsqrtf(sums[2 * r] * (1.0f / WIDTH) + eps);
      float pull = inverse * inverse * inverse * sums[2 * r + 1] * (1.0f / WIDTH);
      float xs[OWNED];
      float ns[OWNED];
      float es[OWNED];
      stage.read(buffer, 1, r, xs);
      stage.read(buffer, 2, r, ns);
      stage.read(buffer, 3, r, es);
#pragma unroll
      for (int i = 0; i < OWNED; i++) {
        float normed = inverse * ns[i];
        es[i] += normed * g[i] - pull * xs[i];
        dGain[i] += normed * xs[i];
        dBeta[i] += es[i];
        if constexpr (ALPHA) {
          dAlpha[i] += es[i] * v[r][i];
        }
        v[r][i] = es[i] * (ALPHA ? a[i] : ORTHONORMAL);
      }
      Owned::store(es, dx, row + r, rows);
    }
    mix<true>(v, shared);
    // Where nothing is mixed, no other barrier keeps the next offer off these totals.
    if constexpr (PLAN.count == 0) {
      __syncthreads();
    }
    if constexpr (MIXED || ALPHA) {
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        Owned::store(v[r], dy, row + r, rows);
      }
    }
  }
  float* sums = partial + 3ll * blockIdx.x * WIDTH;
#pragma unroll
  for (int i = 0; i < OWNED; i++) {
    dAlpha[i] *= ORTHONORMAL;
  }
  storeFloats(dAlpha, sums);
  storeFloats(dBeta, sums + WIDTH);
  storeFloats(dGain, sums + 2 * WIDTH);
}

extern "C" __global__ void __launch_bounds__(1024) join_reduce(const float* partial, int blocks, Bits* dAlpha, Bits* dBeta,
    Bits* dGain) {
  __shared__ float sums[32][33];
  int lane = threadIdx.x % 32;
  int slice = threadIdx.x / 32;
  int column = blockIdx.x * 32 + lane;
  float sum = 0;
  if (column < 3 * WIDTH) {
#pragma unroll 8
    for (int block = slice; block < blocks; block += 32) {
      sum += partial[(long long)block * 3 * WIDTH + column];
    }
  }
  sums[slice][lane] = sum;
  __syncthreads();
  if (slice == 0 && column < 3 * WIDTH) {
    for (int s = 1; s < 32; s++) {
      sum += sums[s][lane];
    }
    Bits* to = column < WIDTH ? dAlpha : column < 2 * WIDTH ? dBeta : dGain;
    to[column % WIDTH] = ELEMENT::narrow(sum);
  }
}
