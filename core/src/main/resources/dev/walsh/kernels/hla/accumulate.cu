// The sums that the tokens of a chunk leave: S[r, :] = Σ Φ(X)[r, n] · columns[n, :], and their weights, Σ Φ(X)[r, n] · weights[n], for the products
// Φ[b * LEAD + a] = lead[a] · trail[b] of features. Products are made in registers, as operands of tensor cores, and rounded to bf16.
//
//   accumulate(const Bits* lead, const Bits* trail, const Bits* columns, const float* weights, float* sums, float* counts, int tokens,
//              int chunk, int chunks, int heads, int firstGroup, long long batchStride, long long headStride, long long tokenStride)
//
// lead is (G, LEAD, tokens), trail (G, TRAIL, tokens), weights (G, tokens) or null for ones; sums (G, chunks, R, WIDTH) and counts (G, chunks, R),
// R = LEAD * TRAIL. columns is (B, heads, tokens, WIDTH) by its strides, in elements, multiples of 8; the G groups are those of its B * heads from
// firstGroup on. All tensors but weights and sums are bf16; tokens is a multiple of 8, chunk of 16.
//
// -DLEAD, a multiple of 16; -DTRAIL; -DWIDTH, a multiple of 16; -DROWS of the sums a block makes: a multiple of LEAD, of which it makes those of
// ROWS / LEAD features of trail, or a divisor; -DWARPS_DOWN, -DWARPS_ACROSS: the warps that share a block's rows and columns; -DSTAGE tokens at a
// time. Launch G * chunks * R / ROWS blocks of 32 * WARPS_DOWN * WARPS_ACROSS threads.
#include "tensor_cores.cu"

constexpr int R = LEAD * TRAIL;
constexpr int THREADS = WARP * WARPS_DOWN * WARPS_ACROSS;
constexpr int TILES = R / ROWS;
// Features that a block has need of.
constexpr int LEADS = ROWS < LEAD ? ROWS : LEAD;
constexpr int TRAILS = TRAIL == 1 ? 0 : ROWS < LEAD ? 1 : ROWS / LEAD;
// 16 x 8 tiles of sums of a warp.
constexpr int DOWN = ROWS / 16 / WARPS_DOWN;
constexpr int ACROSS = WIDTH / 8 / WARPS_ACROSS;
constexpr int TOKEN_STRIDE = STAGE + PAD;
constexpr int WIDTH_STRIDE = WIDTH + PAD;
constexpr int BUFFER = (LEADS + TRAILS) * TOKEN_STRIDE + STAGE * WIDTH_STRIDE;
constexpr int BUFFERS = 3;

static_assert(ROWS % (16 * WARPS_DOWN) == 0 && WIDTH % (16 * WARPS_ACROSS) == 0 && R % ROWS == 0);

extern "C" __device__ const int accumulateBytes = BUFFERS * (BUFFER * sizeof(Bits) + STAGE * sizeof(float));

extern "C" __global__ void __launch_bounds__(THREADS) accumulate(const Bits* lead, const Bits* trail, const Bits* columns,
    const float* weights, float* sums, float* counts, int tokens, int chunk, int chunks, int heads, int firstGroup, long long batchStride,
    long long headStride, long long tokenStride) {
  extern __shared__ __align__(16) Bits shared[];
  float* sharedWeights = reinterpret_cast<float*>(shared + BUFFERS * BUFFER);
  int tile = blockIdx.x % TILES;
  long long place = blockIdx.x / TILES;
  long long group = place / chunks;
  int first = (int)(place % chunks) * chunk;
  int present = min(chunk, tokens - first);
  int row = tile * ROWS;
  lead += (group * LEAD + row % LEAD) * tokens + first;
  trail += (group * TRAIL + row / LEAD) * tokens + first;
  int ofAll = firstGroup + (int)group;
  columns += ofAll / heads * batchStride + ofAll % heads * headStride + first * tokenStride;
  if (weights) weights += group * tokens + first;

  auto load = [&](int stage) {
    Bits* buffer = shared + stage % BUFFERS * BUFFER;
    int from = stage * STAGE;
    fetchTile<LEADS, STAGE, THREADS>(buffer, lead + from, tokens, LEADS, present - from);
    if constexpr (TRAILS > 0)
      fetchTile<TRAILS, STAGE, THREADS>(buffer + LEADS * TOKEN_STRIDE, trail + from, tokens, TRAILS, present - from);
    fetchTile<STAGE, WIDTH, THREADS, 2>(buffer + (LEADS + TRAILS) * TOKEN_STRIDE, columns + from * tokenStride, tokenStride, present - from, WIDTH);
    if (weights) {
      for (int i = threadIdx.x * 4; i < STAGE; i += THREADS * 4)
        fetch(sharedWeights + stage % BUFFERS * STAGE + i, from + i < present ? weights + from + i : weights, from + i < present);
    }
  };

  float total[DOWN][ACROSS][4] = {};
  float count[DOWN][4] = {};
  int down = threadIdx.x / WARP / WARPS_ACROSS * DOWN * 16;
  int across = threadIdx.x / WARP % WARPS_ACROSS * ACROSS * 8;
  int stages = (present + STAGE - 1) / STAGE;
  load(0);
  commit();
  if (stages > 1) load(1);
  commit();
  for (int stage = 0; stage < stages; stage++) {
    settle<1>();
    __syncthreads();
    if (stage + 2 < stages) load(stage + 2);
    commit();
    const Bits* leads = shared + stage % BUFFERS * BUFFER;
    const Bits* trails = leads + LEADS * TOKEN_STRIDE;
    const Bits* values = trails + TRAILS * TOKEN_STRIDE;
#pragma unroll
    for (int step = 0; step < STAGE; step += 16) {
      Fragment a[DOWN];
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        int at = down + i * 16;
        a[i] = aOfRows(leads + at % LEADS * TOKEN_STRIDE + step, TOKEN_STRIDE);
        if constexpr (TRAILS > 0) {
          const Bits* factor = trails + at / LEADS * TOKEN_STRIDE + step + lane() % 4 * 2;
          unsigned left = *reinterpret_cast<const unsigned*>(factor);
          unsigned right = *reinterpret_cast<const unsigned*>(factor + 8);
          a[i].r[0] = multiply(a[i].r[0], left);
          a[i].r[1] = multiply(a[i].r[1], left);
          a[i].r[2] = multiply(a[i].r[2], right);
          a[i].r[3] = multiply(a[i].r[3], right);
        }
      }
#pragma unroll
      for (int j = 0; j < ACROSS; j += 2) {
        auto b = bOfRows(values + step * WIDTH_STRIDE + across + j * 8, WIDTH_STRIDE);
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
          addProduct(total[i][j], a[i], b.r[0], b.r[1]);
          addProduct(total[i][j + 1], a[i], b.r[2], b.r[3]);
        }
      }
      if (across == 0) {
        unsigned top = columnOfOnes();
        unsigned bottom = top;
        if (weights) {
          const float* two = sharedWeights + stage % BUFFERS * STAGE + step + lane() % 4 * 2;
          top = columnOf(*reinterpret_cast<const float2*>(two));
          bottom = columnOf(*reinterpret_cast<const float2*>(two + 8));
        }
#pragma unroll
        for (int i = 0; i < DOWN; i++) addProduct(count[i], a[i], top, bottom);
      }
    }
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
            make_float2(total[i][j][2 * half], total[i][j][2 * half + 1]);
      }
      if (across == 0 && lane() % 4 == 0) counts[at] = count[i][2 * half] + count[i][2 * half + 1];
    }
  }
}
