// A product with a matrix of bytes, x Wᵀ, for few rows of x: the matrix is read once for every TILE rows. Float arithmetic, rounded once.
//
//   int8_linear(const Element* x, const signed char* weight, Element* out, int in, int stride, int outs, int batch)
//
// x is (batch, in), in a multiple of 16; out (batch, outs). A row of weight is `in` bytes and, at stride - 16, the float that they are
// multiplied by; stride is a multiple of 16.
//
// -DELEMENT, -DVECTOR: element.cu; -DTILE, rows of x at a time; -DWARP_ROWS, rows of the matrix that a warp has; -DWARPS, warps of a block.
// Launch ceil(outs / (WARPS * WARP_ROWS)) * ceil(batch / TILE) blocks of WARPS * 32 threads.
#include "element.cu"

constexpr int BYTES = 16;
constexpr int TRAILER = 16;
static_assert(BYTES % VECTOR == 0, "a vector of bytes is whole vectors of x");

extern "C" __global__ void __launch_bounds__(WARPS * 32) int8_linear(const Bits* x, const signed char* weight, Bits* out, int in, int stride,
    int outs, int batch) {
  int tiles = (batch + TILE - 1) / TILE;
  int lane = threadIdx.x % 32;
  int firstOut = ((int)blockIdx.x / tiles * WARPS + (int)threadIdx.x / 32) * WARP_ROWS;
  int first = (int)blockIdx.x % tiles * TILE;
  if (firstOut >= outs) return;
  float sums[WARP_ROWS][TILE] = {};
  for (int column = lane * BYTES; column < in; column += 32 * BYTES) {
    int4 packed[WARP_ROWS];
#pragma unroll
    for (int r = 0; r < WARP_ROWS; r++) {
      int row = min(firstOut + r, outs - 1);
      packed[r] = __ldg(reinterpret_cast<const int4*>(weight + (long long)row * stride + column));
    }
#pragma unroll
    for (int part = 0; part < BYTES / VECTOR; part++) {
      float values[WARP_ROWS][VECTOR];
#pragma unroll
      for (int r = 0; r < WARP_ROWS; r++) {
        const int words[4] = {packed[r].x, packed[r].y, packed[r].z, packed[r].w};
#pragma unroll
        for (int k = 0; k < VECTOR; k++) {
          int at = part * VECTOR + k;
          values[r][k] = (float)(signed char)(words[at / 4] >> at % 4 * 8);
        }
      }
#pragma unroll
      for (int n = 0; n < TILE; n++) {
        float wide[VECTOR];
        Vector::load(x + (long long)min(first + n, batch - 1) * in + column + part * VECTOR).widen(wide);
#pragma unroll
        for (int r = 0; r < WARP_ROWS; r++) {
#pragma unroll
          for (int k = 0; k < VECTOR; k++) {
            sums[r][n] += values[r][k] * wide[k];
          }
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < WARP_ROWS; r++) {
    int row = firstOut + r;
#pragma unroll
    for (int n = 0; n < TILE; n++) {
      float sum = sums[r][n];
#pragma unroll
      for (int distance = 16; distance > 0; distance /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, distance);
      }
      if (lane == 0 && row < outs && first + n < batch) {
        float scale = *reinterpret_cast<const float*>(weight + (long long)row * stride + stride - TRAILER);
        out[(long long)(first + n) * outs + row] = ELEMENT::narrow(sum * scale);
      }
    }
  }
}
