// Products of few rows with a matrix of a model that only runs: out = x Wᵀ, or with -DGATED=1 silu(x Gᵀ) ⊙ (x Uᵀ) where W is G above U. The
// matrix is read once for every TILE rows, and its first columns before the kernel waits for the one that makes x. Float arithmetic, rounded
// once.
//
//   few_rows(const Element* x, const char* weight, Element* out, int in, int stride, int outs, int batch)
//
// x is (batch, in), out (batch, outs); W has rows of `stride` bytes, a multiple of 16: elements, or with -DIN_BYTES=1 signed bytes and, at
// stride - 16, the float that they are multiplied by. `in` is a multiple of the 16 bytes' elements.
//
// -DELEMENT, -DVECTOR: element.cu; -DTILE, rows of x at a time; -DWARP_ROWS, rows of W that a warp has, with -DGATED=1 an even number; -DDEPTH,
// accesses of 16 bytes a row that a lane has under way; -DWARPS, warps of a block. Launch ceil(outs / (WARPS * OUTS)) * ceil(batch / TILE) blocks
// of WARPS * 32 threads.
#include "element.cu"
#include "chain.cu"

constexpr int OUTS = GATED ? WARP_ROWS / 2 : WARP_ROWS;
constexpr int TRAILER = 16;
constexpr int PACKET = IN_BYTES ? 16 : 16 / (int)sizeof(Bits);
constexpr int STEP = 32 * PACKET;
static_assert(PACKET % VECTOR == 0, "a packet is whole vectors of x");

// Sixteen bytes of a row of W, as they lie in memory and as floats.
union Packet {
  int4 raw;
  signed char bytes[16];
  Bits elements[16 / sizeof(Bits)];

  __device__ __forceinline__ void widen(float (&values)[PACKET]) const {
#pragma unroll
    for (int k = 0; k < PACKET; k++) {
      if constexpr (IN_BYTES) {
        values[k] = (float)bytes[k];
      } else {
        values[k] = ELEMENT::widen(elements[k]);
      }
    }
  }
};

struct Rows {
  const char* row[WARP_ROWS];

  __device__ __forceinline__ void fetch(Packet (&packets)[DEPTH][WARP_ROWS], int column, int in) const {
#pragma unroll
    for (int d = 0; d < DEPTH; d++) {
      int at = column + d * STEP;
#pragma unroll
      for (int r = 0; r < WARP_ROWS; r++) {
        if (at < in) packets[d][r].raw = __ldg(reinterpret_cast<const int4*>(row[r] + (long long)at / PACKET * 16));
      }
    }
  }
};

__device__ __forceinline__ void multiply(const Packet (&packets)[DEPTH][WARP_ROWS], const Bits* x, int batch, int column, int in,
    float (&sums)[WARP_ROWS][TILE]) {
#pragma unroll
  for (int d = 0; d < DEPTH; d++) {
    int at = column + d * STEP;
    if (at >= in) return;
    float values[WARP_ROWS][PACKET];
#pragma unroll
    for (int r = 0; r < WARP_ROWS; r++) {
      packets[d][r].widen(values[r]);
    }
#pragma unroll
    for (int n = 0; n < TILE; n++) {
      const Bits* from = x + (long long)min(n, batch - 1) * in + at;
#pragma unroll
      for (int part = 0; part < PACKET / VECTOR; part++) {
        float wide[VECTOR];
        Vector::load(from + part * VECTOR).widen(wide);
#pragma unroll
        for (int r = 0; r < WARP_ROWS; r++) {
#pragma unroll
          for (int k = 0; k < VECTOR; k++) {
            sums[r][n] += values[r][part * VECTOR + k] * wide[k];
          }
        }
      }
    }
  }
}

__device__ __forceinline__ float acrossWarp(float sum) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, distance);
  }
  return sum;
}

extern "C" __global__ void __launch_bounds__(WARPS * 32) few_rows(const Bits* x, const char* weight, Bits* out, int in, int stride, int outs,
    int batch) {
  letNextBegin();
  int tiles = (batch + TILE - 1) / TILE;
  int lane = threadIdx.x % 32;
  int firstOut = ((int)blockIdx.x / tiles * WARPS + (int)threadIdx.x / 32) * OUTS;
  if (firstOut >= outs) return;
  int first = (int)blockIdx.x % tiles * TILE;
  Rows rows;
#pragma unroll
  for (int r = 0; r < WARP_ROWS; r++) {
    int row = min(firstOut + r % OUTS, outs - 1) + r / OUTS * outs;
    rows.row[r] = weight + (long long)row * stride;
  }
  int column = lane * PACKET;
  Packet packets[DEPTH][WARP_ROWS];
  rows.fetch(packets, column, in);
  float scale[WARP_ROWS];
#pragma unroll
  for (int r = 0; r < WARP_ROWS; r++) {
    scale[r] = IN_BYTES ? *reinterpret_cast<const float*>(rows.row[r] + stride - TRAILER) : 1.0f;
  }

  awaitPrevious();
  x += (long long)first * in;
  batch -= first;
  float sums[WARP_ROWS][TILE] = {};
  while (column < in) {
    multiply(packets, x, batch, column, in, sums);
    column += DEPTH * STEP;
    rows.fetch(packets, column, in);
  }
#pragma unroll
  for (int r = 0; r < OUTS; r++) {
#pragma unroll
    for (int n = 0; n < TILE; n++) {
      float value = acrossWarp(sums[r][n]) * scale[r];
      if constexpr (GATED) {
        float up = acrossWarp(sums[r + OUTS][n]) * scale[r + OUTS];
        value = value / (1 + __expf(-value)) * up;
      }
      if (lane == 0 && firstOut + r < outs && n < batch) {
        out[(long long)(first + n) * outs + firstOut + r] = ELEMENT::narrow(value);
      }
    }
  }
}
