// The gradients of features: with dΦ[r, n] = S[r, :] · columns[n, :] + counts[r] · weights[n], and dA[n, m] = columns[n, :] · otherColumns[m, :] +
// weights[n] · otherWeights[m] for the pairs of a chunk,
//
//   dlead[a, n] = Σ_b dΦ[b * LEAD + a, n] · trail[b, n] + Σ_m dA[n, m] · (trail · otherTrail)[n, m] · otherLead[a, m]
//
// and the same of trail. dΦ and dA are made a tile at a time and never stored.
//
//   pull(const Bits* lead, const Bits* trail, const Bits* columns, const float* weights, const Bits* otherLead, const Bits* otherTrail,
//        const Bits* otherColumns, const float* otherWeights, const Bits* states, const float* counts, Bits* dLead, Bits* dTrail, int tokens,
//        int chunk, int chunks)
//
// Shapes and SEEN, STATES, PAIRS, LEAD, TRAIL, WIDTH, DOWN as in read.cu; weights and otherWeights are (G, tokens) float32, or null for ones. LEAD is at
// most 64 and TRAIL too, but for a single factor, TRAIL = 1, of which a block makes SLICE features, a divisor of LEAD. -DTRAILS: the trailing features
// whose rows of a state are taken at a time, a divisor of TRAIL. Launch G * ceil(tokens / BLOCK) * LEAD / SLICE blocks of 128 threads.
#include "pull_shape.cu"
#include "pull_pairs.cu"

// A tile of a state, whose first trailing feature is `from`.
__device__ __forceinline__ void pullStates(Gradient& gradient, const Fragment (&columns)[DOWN][WIDTH / 16], const Weights& weights,
    const Bits* features, float* trailSums, const Bits* tile, int from) {
  const float* counts = reinterpret_cast<const float*>(tile + TILE * WIDTH_STRIDE);
#pragma unroll 1
  for (int k = 0; k < TRAILS; k++) {
    float factor[DOWN][2];
    float ofTrail[DOWN][2] = {};
    if constexpr (TWO) {
#pragma unroll
      for (int i = 0; i < DOWN * 2; i++) factor[i / 2][i % 2] = widen(features[(SLICE + from + k) * BLOCK_STRIDE + i * 8 + lane() / 4]);
    }
#pragma unroll
    for (int part = 0; part < SLICE; part += PART) {
      float found[DOWN][PART / 8][4];
#pragma unroll
      for (int j = 0; j < PART / 8; j++) {
        float2 count = *reinterpret_cast<const float2*>(counts + k * SLICE + part + j * 8 + lane() % 4 * 2);
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
#pragma unroll
          for (int half = 0; half < 2; half++) {
            found[i][j][2 * half] = count.x * weights.of[i][half];
            found[i][j][2 * half + 1] = count.y * weights.of[i][half];
          }
        }
      }
#pragma unroll
      for (int step = 0; step < WIDTH / 16; step++) {
#pragma unroll
        for (int j = 0; j < PART / 8; j += 2) {
          auto b = bOfColumns(tile + (k * SLICE + part + j * 8) * WIDTH_STRIDE + step * 16, WIDTH_STRIDE);
#pragma unroll
          for (int i = 0; i < DOWN; i++) {
            addProduct(found[i][j], columns[i][step], b.r[0], b.r[1]);
            addProduct(found[i][j + 1], columns[i][step], b.r[2], b.r[3]);
          }
        }
      }
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
#pragma unroll
        for (int j = 0; j < PART / 8; j += 2) {
          // As a fragment of A, two tiles of sums side by side.
          Fragment lead;
          if constexpr (TWO) lead = aOfColumns(features + (part + j * 8) * BLOCK_STRIDE + i * 16, BLOCK_STRIDE);
#pragma unroll
          for (int e = 0; e < 8; e++) {
            int half = e / 2 % 2;
            float value = found[i][j + e / 4][e % 4];
            if constexpr (TWO) {
              unsigned pair = lead.r[e / 2];
              gradient.lead[i][part / 8 + j + e / 4][e % 4] += value * factor[i][half];
              ofTrail[i][half] += value * (e % 2 ? high(pair) : low(pair));
            } else {
              gradient.lead[i][part / 8 + j + e / 4][e % 4] += value;
            }
          }
        }
      }
    }
    if constexpr (TWO) {
#pragma unroll
      for (int i = 0; i < DOWN * 2; i++) {
        float sum = ofTrail[i / 2][i % 2];
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        if (lane() % 4 == 0) trailSums[(i * 8 + lane() / 4) * SUM_STRIDE + from + k] = sum;
      }
    }
  }
}

// Gradients (RANK, tokens of the warp), rounded, to where its features were: no other warp reads these.
template <int RANK>
__device__ __forceinline__ void place(Bits* to, const float (&gradient)[DOWN][RANK / 8][4]) {
#pragma unroll
  for (int e = 0; e < DOWN * RANK / 2; e++) {
    int i = e / (RANK / 2);
    int j = e / 4 % (RANK / 8);
    unsigned value = pack(gradient[i][j][e % 4], 0);
    to[(j * 8 + lane() % 4 * 2 + e % 2) * BLOCK_STRIDE + i * 16 + e / 2 % 2 * 8 + lane() / 4] = (Bits)value;
  }
}

// Writes RANK rows of the block's tokens.
template <int RANK>
__device__ __forceinline__ void write(Bits* to, const Bits* from, long long stride, int tokens) {
  for (int i = threadIdx.x; i < RANK * BLOCK / 8; i += THREADS) {
    int row = i / (BLOCK / 8);
    int column = i % (BLOCK / 8) * 8;
    if (column < tokens)
      *reinterpret_cast<uint4*>(to + row * stride + column) = *reinterpret_cast<const uint4*>(from + row * BLOCK_STRIDE + column);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) pull(const Bits* lead, const Bits* trail, const Bits* columns, const float* weights,
    const Bits* otherLead, const Bits* otherTrail, const Bits* otherColumns, const float* otherWeights, const Bits* states, const float* counts,
    Bits* dLead, Bits* dTrail, int tokens, int chunk, int chunks) {
  extern __shared__ __align__(16) Bits shared[];
  Bits* sharedColumns = shared + FEATURES;
  float* trailSums = reinterpret_cast<float*>(sharedColumns + COLUMNS);
  Bits* buffers = sharedColumns + COLUMNS + SUMS;
  int blocks = (tokens + BLOCK - 1) / BLOCK;
  int slice = (int)(blockIdx.x % SLICES) * SLICE;
  long long group = blockIdx.x / SLICES / blocks;
  int first = (int)(blockIdx.x / SLICES % blocks) * BLOCK;
  int ownChunk = first / chunk;
  int begin = SEEN == 2 ? first : ownChunk * chunk;
  int end = min(tokens, SEEN == 1 ? first + BLOCK : (ownChunk + 1) * chunk);
  bool hasState = SEEN == 0 || (SEEN == 1 ? ownChunk > 0 : ownChunk < chunks - 1);
  int tiles = hasState ? STATE_TILES : 0;
  int stages = tiles + (PAIRS ? (end - begin + OTHERS - 1) / OTHERS : 0);
  long long state = (SEEN == 0 ? group : group * chunks + ownChunk) * R;
  lead += (group * LEAD + slice) * tokens + first;
  trail += group * TRAIL * tokens + first;
  otherLead += (group * LEAD + slice) * tokens;
  otherTrail += group * TRAIL * tokens;
  otherColumns += group * tokens * WIDTH;
  if (otherWeights) otherWeights += group * tokens;
  states += (state + slice) * WIDTH;
  counts += state + slice;

  auto load = [&](int stage) {
    Bits* buffer = buffers + stage % BUFFERS * BUFFER;
    if constexpr (STATES) {
      if (stage < tiles) {
        fetchTile<TILE, WIDTH, THREADS>(buffer, states + (long long)stage * TILE * WIDTH, WIDTH, TILE, WIDTH);
        if (threadIdx.x < TILE / 4) fetch(buffer + TILE * WIDTH_STRIDE + threadIdx.x * 8, counts + stage * TILE + threadIdx.x * 4, true);
        return;
      }
    }
    if constexpr (PAIRS) {
      int from = begin + (stage - tiles) * OTHERS;
      Bits* values = buffer + (SLICE + TRAIL_ROWS) * OTHER_STRIDE;
      fetchTile<SLICE, OTHERS, THREADS>(buffer, otherLead + from, tokens, SLICE, end - from);
      if constexpr (TWO)
        fetchTile<TRAIL_ROWS, OTHERS, THREADS>(buffer + SLICE * OTHER_STRIDE, otherTrail + from, tokens, TRAIL, end - from);
      fetchTile<OTHERS, WIDTH, THREADS>(values, otherColumns + (long long)from * WIDTH, WIDTH, end - from, WIDTH);
      int i = threadIdx.x * 4;
      if (otherWeights && i < OTHERS)
        fetch(values + OTHERS * WIDTH_STRIDE + 2 * i, from + i < end ? otherWeights + from + i : otherWeights, from + i < end);
    }
  };

  if constexpr (TWO) {
    fetchTile<SLICE, BLOCK, THREADS>(shared, lead, tokens, SLICE, tokens - first);
    fetchTile<TRAIL_ROWS, BLOCK, THREADS>(shared + SLICE * BLOCK_STRIDE, trail, tokens, TRAIL, tokens - first);
  }
  fetchTile<BLOCK, WIDTH, THREADS>(sharedColumns, columns + (group * tokens + first) * WIDTH, WIDTH, tokens - first, WIDTH);
  if (stages > 0) load(0);
  commit();
  if (stages > 1) load(1);
  commit();

  int down = threadIdx.x / WARP * DOWN * 16;
  Weights ofRows;
#pragma unroll
  for (int i = 0; i < DOWN * 2; i++) {
    int token = first + down + i * 8 + lane() / 4;
    ofRows.of[i / 2][i % 2] = token >= tokens ? 0 : weights ? weights[group * tokens + token] : 1;
  }

  Gradient gradient;
  const Bits* features = shared + down;
  const Bits* rows = sharedColumns + down * WIDTH_STRIDE;
  trailSums += down * SUM_STRIDE;
  if constexpr (TWO) {
    for (int i = lane(); i < DOWN * 16 * SUM_STRIDE; i += WARP) trailSums[i] = 0;
  }
  int stage = 0;
  if constexpr (STATES) {
    Fragment fragments[DOWN][WIDTH / 16];
    for (; stage < tiles; stage++) {
      settle<1>();
      __syncthreads();
      if (stage + 2 < stages) load(stage + 2);
      commit();
      if (stage == 0) {
#pragma unroll
        for (int i = 0; i < DOWN * WIDTH / 16; i++) {
          fragments[i / (WIDTH / 16)][i % (WIDTH / 16)] =
              aOfRows(rows + i / (WIDTH / 16) * 16 * WIDTH_STRIDE + i % (WIDTH / 16) * 16, WIDTH_STRIDE);
        }
      }
      pullStates(gradient, fragments, ofRows, features, trailSums, buffers + stage % BUFFERS * BUFFER, stage * TRAILS);
    }
    __syncwarp();
  }
  if constexpr (TWO) {
#pragma unroll
    for (int e = 0; e < DOWN * TRAIL_GRADIENTS / 2; e++) {
      int i = e / (TRAIL_GRADIENTS / 2);
      int j = e / 4 % (TRAIL_GRADIENTS / 8);
      gradient.trail[i][j][e % 4] = trailSums[(i * 16 + e / 2 % 2 * 8 + lane() / 4) * SUM_STRIDE + j * 8 + lane() % 4 * 2 + e % 2];
    }
  }
  if constexpr (PAIRS) {
    for (; stage < stages; stage++) {
      settle<1>();
      __syncthreads();
      if (stage + 2 < stages) load(stage + 2);
      commit();
      pullPairs(gradient, rows, ofRows, features, buffers + stage % BUFFERS * BUFFER, otherWeights != nullptr, first + down,
          begin + (stage - tiles) * OTHERS);
    }
  }
  settle<0>();
  __syncwarp();
  place<SLICE>(shared + down, gradient.lead);
  if constexpr (TWO) place<TRAIL_GRADIENTS>(shared + SLICE * BLOCK_STRIDE + down, gradient.trail);
  __syncthreads();
  write<SLICE>(dLead + (group * LEAD + slice) * tokens + first, shared, tokens, tokens - first);
  if constexpr (TWO) write<TRAIL>(dTrail + group * TRAIL * tokens + first, shared + SLICE * BLOCK_STRIDE, tokens, tokens - first);
}
