// What tokens read: out[n, :] = Σ_r Φ(X)[r, n] · S[r, :] of the sums that their chunk finds, and Σ_m A[n, m] · columns[m, :] of the other side's
// tokens in their own chunk, A being the product of the factors' similarities. Neither Φ nor A is ever stored.
//
//   read(const Bits* lead, const Bits* trail, const Bits* otherLead, const Bits* otherTrail, const Bits* columns, const Bits* states,
//        const float* counts, Bits* out, float* weights, int carried, int tokens, int chunk, int chunks, int heads, int firstGroup,
//        long long columnBatch, long long columnHead, long long columnToken, long long outBatch, long long outHead, long long outToken)
//
// lead and otherLead are (G, LEAD, tokens), trail and otherTrail (G, TRAIL, tokens), bf16; states (G, chunks, R, WIDTH) bf16 and counts (G, chunks, R)
// float32, R = LEAD * TRAIL, without chunks where SEEN is 0; weights (G, tokens) float32. columns and out are (B, heads, tokens, WIDTH) bf16, each by its
// strides, in elements, multiples of 8; the G groups are those of their B * heads from firstGroup on. carried is 1 where the first chunk finds sums
// too, and else 0, with SEEN 1. tokens is a multiple of 8, chunk of BLOCK.
//
// -DSEEN: which of the other side's tokens a token sees: 0 all, 1 those up to it, 2 those from it on. -DSTATES, -DPAIRS: whether there are states, and
// pairs within a chunk; with SEEN 0 one of the two. -DNORMALISED: whether out is divided by the sum of A's row, which becomes weights; without,
// counts and weights are not read.
// -DLEAD, a multiple of 16, and of 64 where it is more; -DTRAIL; -DWIDTH, a multiple of 16; -DDOWN, the 16 tokens that a warp has, 1 or 2; -DTILE, the
// rows of a state at a time: LEAD times a divisor of TRAIL, or a divisor of LEAD. Launch G * ceil(tokens / BLOCK) blocks of 128 threads.
#include "tensor_cores.cu"

constexpr int R = LEAD * TRAIL;
constexpr int WARPS = 4;
constexpr int THREADS = WARPS * WARP;
constexpr int BLOCK = 16 * DOWN * WARPS;
constexpr int OTHERS = 32;
// The summed index of a product of trailing features is a multiple of 16.
constexpr int TRAIL_ROWS = TRAIL == 1 ? 0 : (TRAIL + 15) / 16 * 16;
constexpr int BLOCK_STRIDE = BLOCK + PAD;
constexpr int OTHER_STRIDE = OTHERS + PAD;
constexpr int WIDTH_STRIDE = WIDTH + PAD;
constexpr int ACROSS = WIDTH / 8;
constexpr int STATE_TILES = STATES ? R / TILE : 0;
constexpr int STATE_BITS = STATES ? TILE * WIDTH_STRIDE + 2 * TILE : 0;
constexpr int PAIR_BITS = PAIRS ? (LEAD + TRAIL_ROWS) * OTHER_STRIDE + OTHERS * WIDTH_STRIDE : 0;
constexpr int BUFFER = STATE_BITS > PAIR_BITS ? STATE_BITS : PAIR_BITS;
constexpr int BUFFERS = 3;
constexpr int FEATURES = (LEAD + TRAIL_ROWS) * BLOCK_STRIDE;
constexpr int STAGED = FEATURES + BUFFERS * BUFFER;
constexpr int RESULT = BLOCK * WIDTH_STRIDE;

static_assert(!STATES || R % TILE == 0);

extern "C" __device__ const int readBytes = (STAGED > RESULT ? STAGED : RESULT) * sizeof(Bits);

struct Sums {
  float value[DOWN][ACROSS][4] = {};
  float count[DOWN][4] = {};

  __device__ __forceinline__ void add(const Fragment (&a)[DOWN], const Bits* rows) {
#pragma unroll
    for (int j = 0; j < ACROSS; j += 2) {
      auto b = bOfRows(rows + j * 8, WIDTH_STRIDE);
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        addProduct(value[i][j], a[i], b.r[0], b.r[1]);
        addProduct(value[i][j + 1], a[i], b.r[2], b.r[3]);
      }
    }
  }

  __device__ __forceinline__ void addCount(const Fragment (&a)[DOWN], unsigned top, unsigned bottom) {
    if constexpr (NORMALISED) {
#pragma unroll
      for (int i = 0; i < DOWN; i++) addProduct(count[i], a[i], top, bottom);
    }
  }
};

// A tile of a state: `from` is its first row.
__device__ __forceinline__ void addStates(Sums& sums, const Bits* features, const Bits* tile, int from, int down) {
  const float* counts = reinterpret_cast<const float*>(tile + TILE * WIDTH_STRIDE);
#pragma unroll
  for (int step = 0; step < TILE; step += 16) {
    int lead = TILE < LEAD ? from % LEAD + step : step % LEAD;
    Fragment a[DOWN];
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
      a[i] = aOfColumns(features + lead * BLOCK_STRIDE + down + i * 16, BLOCK_STRIDE);
      if constexpr (TRAIL > 1) {
        const Bits* factor = features + (LEAD + (from + step) / LEAD) * BLOCK_STRIDE + down + i * 16 + lane() / 4;
        unsigned upper = both(factor[0]);
        unsigned lower = both(factor[8]);
        a[i].r[0] = multiply(a[i].r[0], upper);
        a[i].r[1] = multiply(a[i].r[1], lower);
        a[i].r[2] = multiply(a[i].r[2], upper);
        a[i].r[3] = multiply(a[i].r[3], lower);
      }
    }
    sums.add(a, tile + step * WIDTH_STRIDE);
    if constexpr (NORMALISED) {
      const float* two = counts + step + lane() % 4 * 2;
      sums.addCount(a, columnOf(*reinterpret_cast<const float2*>(two)), columnOf(*reinterpret_cast<const float2*>(two + 8)));
    }
  }
}

// The similarities of one factor: of the warp's tokens and 16 others.
template <int RANK>
__device__ __forceinline__ void similarities(float (&found)[DOWN][2][4], const Bits* features, const Bits* others) {
#pragma unroll
  for (int step = 0; step < RANK; step += 16) {
    auto b = bOfRows(others + step * OTHER_STRIDE, OTHER_STRIDE);
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
      auto a = aOfColumns(features + step * BLOCK_STRIDE + i * 16, BLOCK_STRIDE);
      addProduct(found[i][0], a, b.r[0], b.r[1]);
      addProduct(found[i][1], a, b.r[2], b.r[3]);
    }
  }
}

// All pairs of the warp's tokens, the first being `first`, and of a tile of others, whose first is `from`.
__device__ __forceinline__ void addPairs(Sums& sums, const Bits* features, const Bits* tile, int first, int from) {
  const Bits* values = tile + (LEAD + TRAIL_ROWS) * OTHER_STRIDE;
#pragma unroll
  for (int other = 0; other < OTHERS; other += 16) {
    if (SEEN == 1 && from + other > first + 16 * DOWN - 1) return;
    if (SEEN == 2 && from + other + 15 < first) continue;
    float product[DOWN][2][4] = {};
    similarities<LEAD>(product, features, tile + other);
    if constexpr (TRAIL > 1) {
      float second[DOWN][2][4] = {};
      similarities<TRAIL_ROWS>(second, features + LEAD * BLOCK_STRIDE, tile + LEAD * OTHER_STRIDE + other);
#pragma unroll
      for (int i = 0; i < DOWN * 8; i++) (&product[0][0][0])[i] *= (&second[0][0][0])[i];
    }
    Fragment a[DOWN];
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
#pragma unroll
      for (int j = 0; j < 2; j++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
          int ahead = from + other + j * 8 + lane() % 4 * 2 - (first + i * 16 + half * 8 + lane() / 4);
          bool left = SEEN == 0 || (SEEN == 1 ? ahead <= 0 : ahead >= 0);
          bool right = SEEN == 0 || (SEEN == 1 ? ahead < 0 : ahead >= -1);
          a[i].r[2 * j + half] = pack(left ? product[i][j][2 * half] : 0, right ? product[i][j][2 * half + 1] : 0);
        }
      }
    }
    sums.add(a, values + other * WIDTH_STRIDE);
    sums.addCount(a, columnOfOnes(), columnOfOnes());
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) read(const Bits* lead, const Bits* trail, const Bits* otherLead, const Bits* otherTrail,
    const Bits* columns, const Bits* states, const float* counts, Bits* out, float* weights, int carried, int tokens, int chunk, int chunks,
    int heads, int firstGroup, long long columnBatch, long long columnHead, long long columnToken, long long outBatch, long long outHead,
    long long outToken) {
  extern __shared__ __align__(16) Bits shared[];
  Bits* buffers = shared + FEATURES;
  int blocks = (tokens + BLOCK - 1) / BLOCK;
  long long group = blockIdx.x / blocks;
  int first = (int)(blockIdx.x % blocks) * BLOCK;
  int place = first / chunk;
  int begin = SEEN == 2 ? first : place * chunk;
  int end = min(tokens, SEEN == 1 ? first + BLOCK : (place + 1) * chunk);
  bool hasState = SEEN == 0 || (SEEN == 1 ? carried || place > 0 : place < chunks - 1);
  int tiles = hasState ? STATE_TILES : 0;
  int stages = tiles + (PAIRS ? (end - begin + OTHERS - 1) / OTHERS : 0);
  long long state = (SEEN == 0 ? group : group * chunks + place) * R;
  otherLead += group * LEAD * tokens;
  otherTrail += group * TRAIL * tokens;
  int ofAll = firstGroup + (int)group;
  columns += ofAll / heads * columnBatch + ofAll % heads * columnHead;
  states += state * WIDTH;
  counts += state;

  auto load = [&](int stage) {
    Bits* buffer = buffers + stage % BUFFERS * BUFFER;
    if constexpr (STATES) {
      if (stage < tiles) {
        fetchTile<TILE, WIDTH, THREADS>(buffer, states + (long long)stage * TILE * WIDTH, WIDTH, TILE, WIDTH);
        if (NORMALISED && threadIdx.x < TILE / 4)
          fetch(buffer + TILE * WIDTH_STRIDE + threadIdx.x * 8, counts + stage * TILE + threadIdx.x * 4, true);
        return;
      }
    }
    if constexpr (PAIRS) {
      int from = begin + (stage - tiles) * OTHERS;
      fetchTile<LEAD, OTHERS, THREADS>(buffer, otherLead + from, tokens, LEAD, end - from);
      if constexpr (TRAIL > 1)
        fetchTile<TRAIL_ROWS, OTHERS, THREADS>(buffer + LEAD * OTHER_STRIDE, otherTrail + from, tokens, TRAIL, end - from);
      fetchTile<OTHERS, WIDTH, THREADS>(buffer + (LEAD + TRAIL_ROWS) * OTHER_STRIDE, columns + from * columnToken, columnToken, end - from, WIDTH);
    }
  };

  fetchTile<LEAD, BLOCK, THREADS>(shared, lead + group * LEAD * tokens + first, tokens, LEAD, tokens - first);
  if constexpr (TRAIL > 1)
    fetchTile<TRAIL_ROWS, BLOCK, THREADS>(shared + LEAD * BLOCK_STRIDE, trail + group * TRAIL * tokens + first, tokens, TRAIL, tokens - first);
  if (stages > 0) load(0);
  commit();
  if (stages > 1) load(1);
  commit();

  Sums sums;
  int down = threadIdx.x / WARP * DOWN * 16;
  for (int stage = 0; stage < stages; stage++) {
    settle<1>();
    __syncthreads();
    if (stage + 2 < stages) load(stage + 2);
    commit();
    const Bits* tile = buffers + stage % BUFFERS * BUFFER;
    if (STATES && stage < tiles) {
      if constexpr (STATES) addStates(sums, shared, tile, stage * TILE, down);
    } else {
      if constexpr (PAIRS) addPairs(sums, shared + down, tile, first + down, begin + (stage - tiles) * OTHERS);
    }
  }
  settle<0>();
  __syncthreads();

#pragma unroll
  for (int i = 0; i < DOWN; i++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      int row = down + i * 16 + half * 8 + lane() / 4;
      float scale = 1;
      if constexpr (NORMALISED) {
        float weight = __shfl_sync(0xffffffffu, sums.count[i][2 * half] + sums.count[i][2 * half + 1], lane() / 4 * 4);
        // A row without weights is zero.
        scale = weight > 0 ? 1 / weight : 0;
        if (lane() % 4 == 0 && first + row < tokens) weights[group * tokens + first + row] = weight;
      }
#pragma unroll
      for (int j = 0; j < ACROSS; j++) {
        *reinterpret_cast<unsigned*>(shared + row * WIDTH_STRIDE + j * 8 + lane() % 4 * 2) =
            pack(sums.value[i][j][2 * half] * scale, sums.value[i][j][2 * half + 1] * scale);
      }
    }
  }
  __syncwarp();
  out += ofAll / heads * outBatch + ofAll % heads * outHead + first * outToken;
  for (int i = lane(); i < DOWN * 16 * WIDTH / 8; i += WARP) {
    int row = down + i / (WIDTH / 8);
    int column = i % (WIDTH / 8) * 8;
    if (first + row < tokens)
      *reinterpret_cast<uint4*>(out + row * outToken + column) = *reinterpret_cast<const uint4*>(shared + row * WIDTH_STRIDE + column);
  }
}
