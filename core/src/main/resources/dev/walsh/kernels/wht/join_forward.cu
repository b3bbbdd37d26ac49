// Forward of the fused operator on rows of width d: x' = x + alpha * (y H) + beta and n = x' / sqrt(mean(x'^2) + eps) * gain, in one pass
// over memory (8d bytes a row of 2-byte elements). Arithmetic is float; n is the norm of x' as it is stored.
//
//   join_forward(const Element* y, const Element* x, const Element* alpha, const Element* beta, const Element* gain,
//                Element* xOut, Element* n, long long rows, float eps)
//
// Rows are contiguous, (rows, d). An output may be an input, else all are apart. A null y is zero, and a null xOut is not written: with both,
// and neither alpha nor beta, what is left is the norm of x, at half the traffic. Defines and launch: rows.cu; it may be launched early (chain.cu).
#include "rows.cu"
#include "chain.cu"

using JoinStage = Stage<2, 1>;

extern "C" __constant__ int sharedBytes = JoinStage::SHARED_BYTES;

extern "C" __global__ void __launch_bounds__(THREADS, 1) join_forward(const Bits* y, const Bits* x, const Bits* alpha,
    const Bits* beta, const Bits* gain, Bits* xOut, Bits* n, long long rows, float eps) {
  extern __shared__ __align__(16) float shared[];
  letNextBegin();
  awaitPrevious();
  JoinStage stage(shared);
  auto fetch = [&](int buffer, long long row) {
    stage.fetch(buffer, 0, y, row, rows);
    stage.fetch(buffer, 1, x, row, rows);
  };
  long long step = (long long)gridDim.x * ROWS;
  long long row = (long long)blockIdx.x * ROWS;
  stage.begin(fetch, row);
  float a[OWNED];
  float b[OWNED];
  float g[OWNED];
  if constexpr (ALPHA) {
    loadWeights(alpha, a, ORTHONORMAL);
  }
  if constexpr (BETA) {
    loadWeights(beta, b, 1);
  }
  loadWeights(gain, g, 1);
  for (int turn = 0; row < rows; row += step, turn++) {
    int buffer = stage.advance(fetch, turn, row, step);
    float v[ROWS][OWNED];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      stage.read(buffer, 0, r, v[r]);
    }
    mix<false>(v, shared);
    float squares[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float held[OWNED];
      stage.read(buffer, 1, r, held);
#pragma unroll
      for (int i = 0; i < OWNED; i++) {
        float update = v[r][i] * (ALPHA ? a[i] : ORTHONORMAL);
        v[r][i] = held[i] + (BETA ? update + b[i] : update);
      }
      if (xOut) {
        Owned::store(v[r], xOut, row + r, rows);
      }
      squares[r] = 0;
#pragma unroll
      for (int i = 0; i < OWNED; i++) {
        squares[r] += v[r][i] * v[r][i];
      }
    }
    offer(squares, shared + EXCHANGED);
    __syncthreads();
    totals(squares, shared + EXCHANGED);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float inverse = rsqrtf(squares[r] * (1.0f / WIDTH) + eps);
#pragma unroll
      for (int i = 0; i < OWNED; i++) {
        v[r][i] *= inverse * g[i];
      }
      Owned::store(v[r], n, row + r, rows);
    }
    // Where nothing is mixed, no other barrier keeps the next offer off these totals.
    if constexpr (PLAN.count == 0) {
      __syncthreads();
    }
  }
}
