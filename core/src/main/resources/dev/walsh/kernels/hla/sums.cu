// Sums of products of features and columns over tokens, in registers: Σ Φ(X)[r, n] · columns[n, :], and of their weights, Σ Φ(X)[r, n] · weights[n], for
// the products Φ[b * LEAD + a] = lead[a] · trail[b] of features. Products are made in registers, as operands of tensor cores, and rounded to bf16.
//
// -DLEAD, a multiple of 16; -DTRAIL; -DWIDTH, a multiple of 16; -DROWS of the sums a block makes: a multiple of LEAD, of which it makes those of
// ROWS / LEAD features of trail, or a divisor; -DWARPS_DOWN, -DWARPS_ACROSS: the warps that share a block's rows and columns; -DSTAGE tokens at a
// time.
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
// Of shared memory.
constexpr int STAGED_BYTES = BUFFERS * (BUFFER * sizeof(Bits) + STAGE * sizeof(float));

static_assert(ROWS % (16 * WARPS_DOWN) == 0 && WIDTH % (16 * WARPS_ACROSS) == 0 && R % ROWS == 0);

// Where a block's tokens begin: in rows of features, in rows of columns and in weights, which may be null for ones.
struct Source {
  const Bits* lead;
  const Bits* trail;
  const Bits* columns;
  const float* weights;
  long long featureStride;
  long long tokenStride;

  // Fetches STAGE tokens from `from` on, of which there are `present`, and commits them.
  __device__ __forceinline__ void load(Bits* shared, int buffer, int from, int present) const {
    Bits* to = shared + buffer * BUFFER;
    fetchTile<LEADS, STAGE, THREADS>(to, lead + from, featureStride, LEADS, present - from);
    if constexpr (TRAILS > 0)
      fetchTile<TRAILS, STAGE, THREADS>(to + LEADS * TOKEN_STRIDE, trail + from, featureStride, TRAILS, present - from);
    fetchTile<STAGE, WIDTH, THREADS, 2>(to + (LEADS + TRAILS) * TOKEN_STRIDE, columns + from * tokenStride, tokenStride, present - from, WIDTH);
    if (weights) {
      float* sharedWeights = reinterpret_cast<float*>(shared + BUFFERS * BUFFER) + buffer * STAGE;
      for (int i = threadIdx.x * 4; i < STAGE; i += THREADS * 4)
        fetch(sharedWeights + i, from + i < present ? weights + from + i : weights, from + i < present);
    }
  }
};

// What a warp adds up: the sums of DOWN * 16 rows and ACROSS * 8 columns, and the counts of these rows where it has the first columns.
struct Totals {
  float value[DOWN][ACROSS][4] = {};
  float count[DOWN][4] = {};

  // A buffer's tokens, for the sums whose first row of the block's is `down` and whose first column is `across`.
  __device__ __forceinline__ void add(const Bits* shared, int buffer, bool weighed, int down, int across) {
    const Bits* leads = shared + buffer * BUFFER;
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
          addProduct(value[i][j], a[i], b.r[0], b.r[1]);
          addProduct(value[i][j + 1], a[i], b.r[2], b.r[3]);
        }
      }
      if (across == 0) {
        unsigned top = columnOfOnes();
        unsigned bottom = top;
        if (weighed) {
          const float* sharedWeights = reinterpret_cast<const float*>(shared + BUFFERS * BUFFER) + buffer * STAGE;
          const float* two = sharedWeights + step + lane() % 4 * 2;
          top = columnOf(*reinterpret_cast<const float2*>(two));
          bottom = columnOf(*reinterpret_cast<const float2*>(two + 8));
        }
#pragma unroll
        for (int i = 0; i < DOWN; i++) addProduct(count[i], a[i], top, bottom);
      }
    }
  }
};

__device__ __forceinline__ int firstRow() { return threadIdx.x / WARP / WARPS_ACROSS * DOWN * 16; }
__device__ __forceinline__ int firstColumn() { return threadIdx.x / WARP % WARPS_ACROSS * ACROSS * 8; }
