// The sums that the tokens of a chunk leave: S[r, :] = Σ Φ(X)[r, n] · columns[n, :], and their weights, Σ Φ(X)[r, n] · weights[n], for the products
// Φ[b * LEAD + a] = lead[a] · trail[b] of features.
//
//   accumulate(const Bits* lead, const Bits* trail, const Bits* columns, const float* weights, float* sums, float* counts, int tokens,
//              int chunk, int chunks, int heads, int firstGroup, long long batchStride, long long headStride, long long tokenStride)
//
// lead is (G, LEAD, tokens), trail (G, TRAIL, tokens), weights (G, tokens) or null for ones; sums (G, chunks, R, WIDTH) and counts (G, chunks, R),
// R = LEAD * TRAIL. columns is (B, heads, tokens, WIDTH) by its strides, in elements, multiples of 8; the G groups are those of its B * heads from
// firstGroup on. All tensors but weights and sums are bf16; tokens is a multiple of 8, chunk of 16.
//
// Defines: sums.cu. Launch G * chunks * R / ROWS blocks of 32 * WARPS_DOWN * WARPS_ACROSS threads.
#include "sums.cu"

extern "C" __device__ const int accumulateBytes = STAGED_BYTES;

extern "C" __global__ void __launch_bounds__(THREADS) accumulate(const Bits* lead, const Bits* trail, const Bits* columns,
    const float* weights, float* sums, float* counts, int tokens, int chunk, int chunks, int heads, int firstGroup, long long batchStride,
    long long headStride, long long tokenStride) {
  extern __shared__ __align__(16) Bits shared[];
  int tile = blockIdx.x % TILES;
  long long place = blockIdx.x / TILES;
  long long group = place / chunks;
  int first = (int)(place % chunks) * chunk;
  int present = min(chunk, tokens - first);
  int row = tile * ROWS;
  int ofAll = firstGroup + (int)group;
  Source source = {lead + (group * LEAD + row % LEAD) * tokens + first, trail + (group * TRAIL + row / LEAD) * tokens + first,
      columns + ofAll / heads * batchStride + ofAll % heads * headStride + first * tokenStride, weights ? weights + group * tokens + first : nullptr,
      tokens, tokenStride};
  int down = firstRow();
  int across = firstColumn();
  int stages = (present + STAGE - 1) / STAGE;
  Totals totals;
  source.load(shared, 0, 0, present);
  commit();
  if (stages > 1) source.load(shared, 1, STAGE, present);
  commit();
  for (int stage = 0; stage < stages; stage++) {
    settle<1>();
    __syncthreads();
    if (stage + 2 < stages) source.load(shared, (stage + 2) % BUFFERS, (stage + 2) * STAGE, present);
    commit();
    totals.add(shared, stage % BUFFERS, weights, down, across);
  }

  sums += (place * R + row) * WIDTH;
  counts += place * R + row;
#pragma unroll
  for (int i = 0; i < DOWN; i++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      int at = down + i * 16 + half * 8 + lane() / 4;
#pragma unroll
      for (int j = 0; j < ACROSS; j++) {
        *reinterpret_cast<float2*>(sums + (long long)at * WIDTH + across + j * 8 + lane() % 4 * 2) =
            make_float2(totals.value[i][j][2 * half], totals.value[i][j][2 * half + 1]);
      }
      if (across == 0 && lane() % 4 == 0) counts[at] = totals.count[i][2 * half] + totals.count[i][2 * half + 1];
    }
  }
}
