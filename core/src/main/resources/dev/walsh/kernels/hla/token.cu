// A token of each of many sequences, from its packed query, key and value to the concatenated heads, in one pass over what is remembered:
//
//   S ← decay · S + Φ(k) · [v, 1]ᵀ        out = Φ(q)ᵀ S, its first columns divided by the last; zero where that is not positive
//
// for the products Φ[(b * RANK + c) * RANK + a] = φ₀[a] · φ₁[b] · φ₂[c] of as many untied maps as there are (of two without c), of queries
// and keys that are rotated first (rope.cu) by the angles of their positions. With u = W x + bias and h = Σ_c curvature[c] · x[c]² / 2,
// softplus features are softplus(u), of a query divided by their mean, of a key by 1 + h. Features of exp are e^(u − h − s), of e^LEAST to 1,
// with the greatest exponent for s, of keys that of all keys yet, to which the state decays. Arithmetic is float32, rounded once.
//
//   token(const Bits* packed, Bits* out, float* state, const long long* positions, const long long* active, const double* frequencies,
//         const Bits* weight0, const Bits* bias0, const float* curvature0, float* scale0, … 1, … 2)
//
// packed is (N, 3, HEADS, WIDTH), out (N, HEADS, WIDTH), both bf16; state (N, HEADS, R, WIDTH + 1) float32; positions and active (N), active 0
// where there is no sequence, whose state stays what it is and whose output is zero; frequencies (WIDTH / 2), radians a position. Of each map
// weight is (2, HEADS, RANK, WIDTH) and bias (2, HEADS, RANK), of queries and then of keys, bf16; curvature (WIDTH) and scale (N, HEADS), of exp
// alone, float32; those of maps that there are none of are null. Only packed is what the kernel before made: this one is launched early (chain.cu).
//
// -DMAPS, 3 at most; -DRANK, a multiple of 8; -DWIDTH, a multiple of 16; -DHEADS; -DROTATED: 1 or 0; -DEXP: 1 or 0; -DLEAST, a float;
// -DSPLITS of a head's state, a divisor of R / 4, more than one (a cluster) from compute capability 9.0 on; -DTEAMS of threads, each of which has
// four rows at a time; -DAHEAD, the vectors that a thread has on the way. Launch N * HEADS * SPLITS blocks of TEAMS * (WIDTH + 1) threads, rounded
// up to warps.
#include "tensor_cores.cu"
#include "softplus.cu"
#include "chain.cu"
#include "cluster.cu"

constexpr int HALF = WIDTH / 2;
constexpr int COLUMNS = WIDTH + 1;
constexpr int R = RANK * (MAPS > 1 ? RANK : 1) * (MAPS > 2 ? RANK : 1);
constexpr int QUAD = 4;
constexpr int QUADS = R / QUAD / SPLITS;
constexpr int CREW = TEAMS * COLUMNS;
constexpr int WARPS = (CREW + WARP - 1) / WARP;
constexpr int THREADS = WARPS * WARP;
constexpr int TURNS = (QUADS + TEAMS - 1) / TEAMS;
constexpr int HELD = AHEAD < TURNS ? AHEAD : TURNS;
static_assert(R % (QUAD * SPLITS) == 0 && RANK % 8 == 0 && WIDTH % 16 == 0);

// Eight channels at a time, a feature's channels are those of a power of two of lanes.
constexpr int EIGHTS = WIDTH / 8;
constexpr int LANES = EIGHTS & -EIGHTS;
constexpr int EIGHTS_EACH = EIGHTS / LANES;
constexpr int FEATURES = 2 * MAPS * RANK;
constexpr int FEATURE_TURNS = (FEATURES * LANES + THREADS - 1) / THREADS;

enum Side { QUERY, KEY };

struct Map {
  const Bits* weight;
  const Bits* bias;
  const float* curvature;
  float* scale;
};

struct alignas(16) Shared {
  float token[2][WIDTH];
  float curvature[MAPS][WIDTH];
  // A query's and a key's beside each other.
  float2 features[MAPS][RANK];
  // Of exp: what the state decays by for each map, and the scale that it has then.
  float decay[MAPS];
  float scale[MAPS];
  float sums[TEAMS][QUAD * COLUMNS];
  float total[COLUMNS];
};

// The rows of a head's maps that a lane multiplies a share of, while their token is not there yet.
struct Rows {
  uint4 weight[FEATURE_TURNS][EIGHTS_EACH];
  float bias[FEATURE_TURNS];

  // Queries' features come first, map by map.
  static __device__ __forceinline__ int feature(int turn) { return (turn * THREADS + (int)threadIdx.x) / LANES; }

  __device__ __forceinline__ Rows(const Map (&maps)[MAPS], int head) {
#pragma unroll
    for (int turn = 0; turn < FEATURE_TURNS; turn++) {
      int feature = min(Rows::feature(turn), FEATURES - 1);
      Map map = of(maps, feature / RANK % MAPS);
      long long row = (feature / (MAPS * RANK) * HEADS + head) * RANK + feature % RANK;
      bias[turn] = widen(map.bias[row]);
#pragma unroll
      for (int i = 0; i < EIGHTS_EACH; i++) {
        weight[turn][i] = *reinterpret_cast<const uint4*>(map.weight + row * WIDTH + (i * LANES + threadIdx.x % LANES) * 8);
      }
    }
  }

  static __device__ __forceinline__ Map of(const Map (&maps)[MAPS], int which) {
    Map map = maps[0];
#pragma unroll
    for (int i = 1; i < MAPS; i++) {
      if (which == i) map = maps[i];
    }
    return map;
  }

  // What features are made of: softplus of the projections, or these themselves where exp follows.
  __device__ __forceinline__ void project(Shared& shared) const {
#pragma unroll
    for (int turn = 0; turn < FEATURE_TURNS; turn++) {
      int feature = min(Rows::feature(turn), FEATURES - 1);
      int side = feature / (MAPS * RANK);
      float u = 0;
#pragma unroll
      for (int i = 0; i < EIGHTS_EACH; i++) {
        const float* x = shared.token[side] + (i * LANES + threadIdx.x % LANES) * 8;
        float4 four = *reinterpret_cast<const float4*>(x);
        float4 more = *reinterpret_cast<const float4*>(x + 4);
        uint4 by = weight[turn][i];
        u += low(by.x) * four.x + high(by.x) * four.y + low(by.y) * four.z + high(by.y) * four.w;
        u += low(by.z) * more.x + high(by.z) * more.y + low(by.w) * more.z + high(by.w) * more.w;
      }
#pragma unroll
      for (int distance = LANES / 2; distance > 0; distance /= 2) u += __shfl_xor_sync(0xffffffffu, u, distance);
      u += bias[turn];
      bool mine = Rows::feature(turn) < FEATURES && threadIdx.x % LANES == 0;
      if (mine) at(shared, feature / RANK % MAPS, feature % RANK, side) = EXP ? u : softplus(u);
    }
  }

  static __device__ __forceinline__ float& at(Shared& shared, int map, int a, int side) {
    float2& both = shared.features[map][a];
    return side == QUERY ? both.x : both.y;
  }
};

__device__ __forceinline__ float sumOfWarp(float value) {
#pragma unroll
  for (int distance = WARP / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

__device__ __forceinline__ float greatestOfWarp(float value) {
#pragma unroll
  for (int distance = WARP / 2; distance > 0; distance /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, distance));
  return value;
}

// One warp gives one side's features of one map their scale. before: exp's, of earlier keys.
__device__ __forceinline__ void scale(Shared& shared, int side, int map, float before) {
  float half = 0;
  if (side == KEY) {
    for (int c = lane(); c < WIDTH; c += WARP) half += shared.curvature[map][c] * shared.token[KEY][c] * shared.token[KEY][c];
    half = 0.5f * sumOfWarp(half);
  }
  if constexpr (EXP) {
    float greatest = Rows::at(shared, map, lane() % RANK, side);
    for (int a = lane(); a < RANK; a += WARP) greatest = fmaxf(greatest, Rows::at(shared, map, a, side));
    greatest = greatestOfWarp(greatest) - half;
    if (side == KEY) greatest = fmaxf(greatest, before);
    for (int a = lane(); a < RANK; a += WARP) {
      float& feature = Rows::at(shared, map, a, side);
      float exponent = feature - half - greatest;
      // What is no number remains none.
      feature = __expf(exponent < LEAST ? LEAST : exponent);
    }
    if (side == KEY && lane() == 0) {
      shared.decay[map] = __expf(before - greatest);
      shared.scale[map] = greatest;
    }
  } else {
    float sum = 0;
    for (int a = lane(); a < RANK; a += WARP) sum += Rows::at(shared, map, a, side);
    float by = side == KEY ? 1 / (1 + half) : 1 / fmaxf(sumOfWarp(sum) / RANK, TINY);
    for (int a = lane(); a < RANK; a += WARP) Rows::at(shared, map, a, side) *= by;
  }
}

// A thread's part of four rows, which are as many vectors as a row has columns: always the same columns, of one row or of two. Nobody reads
// the state again before the next token, so caches need not keep it.
struct Part {
  float4* state;
  int team;
  int row;
  // From which element on it is the row below.
  int edge;
  int column[QUAD];
  float sum[QUAD] = {};
  float4 held[HELD];

  __device__ __forceinline__ Part(float* head) {
    int vector = threadIdx.x % COLUMNS;
    team = threadIdx.x / COLUMNS;
    row = vector * QUAD / COLUMNS;
    edge = (row + 1) * COLUMNS - vector * QUAD;
#pragma unroll
    for (int i = 0; i < QUAD; i++) column[i] = (vector * QUAD + i) % COLUMNS;
    state = reinterpret_cast<float4*>(head) + vector;
#pragma unroll
    for (int i = 0; i < HELD; i++) fetch(i, i);
  }

  __device__ __forceinline__ bool has(int turn) const { return team < TEAMS && turn * TEAMS + team < QUADS; }
  __device__ __forceinline__ float4* at(int turn) const { return state + (turn * TEAMS + team) * COLUMNS; }

  __device__ __forceinline__ void fetch(int i, int turn) {
    if (has(turn)) held[i] = __ldcs(at(turn));
  }

  // quad: the first of the block.
  __device__ __forceinline__ void goOn(const Shared& shared, const float (&value)[QUAD], int quad) {
    float decay = 1;
#pragma unroll
    for (int map = 0; EXP && map < MAPS; map++) decay *= shared.decay[map];
#pragma unroll 1
    for (int first = 0; first < TURNS; first += HELD) {
#pragma unroll
      for (int i = 0; i < HELD; i++) {
        int turn = first + i;
        if (!has(turn)) break;
        int r = (quad + turn * TEAMS + team) * QUAD;
        float2 trail = make_float2(1, 1);
        if constexpr (MAPS == 2) trail = shared.features[1][r / RANK];
        if constexpr (MAPS == 3) trail = product(shared.features[1][r / RANK / RANK], shared.features[2][r / RANK % RANK]);
        float2 above = product(shared.features[0][r % RANK + row], trail);
        float2 below = product(shared.features[0][r % RANK + row + (edge < QUAD)], trail);
        float element[QUAD] = {held[i].x, held[i].y, held[i].z, held[i].w};
#pragma unroll
        for (int k = 0; k < QUAD; k++) {
          float2 by = k < edge ? above : below;
          element[k] = (EXP ? element[k] * decay : element[k]) + by.y * value[k];
          sum[k] += by.x * element[k];
        }
        __stcs(at(turn), make_float4(element[0], element[1], element[2], element[3]));
        if (TURNS > HELD) fetch(i, turn + HELD);
      }
    }
  }

  static __device__ __forceinline__ float2 product(float2 a, float2 b) { return make_float2(a.x * b.x, a.y * b.y); }
};

extern "C" __global__ void
#if SPLITS > 1
__cluster_dims__(SPLITS, 1, 1)
#endif
__launch_bounds__(THREADS) token(const Bits* packed, Bits* out, float* state, const long long* positions, const long long* active,
    const double* frequencies, const Bits* weight0, const Bits* bias0, const float* curvature0, float* scale0, const Bits* weight1,
    const Bits* bias1, const float* curvature1, float* scale1, const Bits* weight2, const Bits* bias2, const float* curvature2, float* scale2) {
  __shared__ Shared shared;
  letNextBegin();
  const Map all[3] = {{weight0, bias0, curvature0, scale0}, {weight1, bias1, curvature1, scale1}, {weight2, bias2, curvature2, scale2}};
  Map maps[MAPS];
#pragma unroll
  for (int i = 0; i < MAPS; i++) maps[i] = all[i];
  int split = blockIdx.x % SPLITS;
  long long group = blockIdx.x / SPLITS;
  long long sequence = group / HEADS;
  int head = (int)(group % HEADS);
  int thread = threadIdx.x;
  out += group * WIDTH;
  if (active[sequence] == 0) {
    awaitPrevious();
    if (split == 0 && thread < WIDTH) out[thread] = 0;
    return;
  }

  Part part(state + (group * R + split * QUADS * QUAD) * COLUMNS);
  Rows rows(maps, head);
  float cosine = 1;
  float sine = 0;
  if (ROTATED && thread < HALF) {
    // In turns, so that what counts of the angle of a millionth token is its part of one.
    double turns = positions[sequence] * frequencies[thread] * 0.15915494309189535;
    sincospif(2 * (float)(turns - rint(turns)), &sine, &cosine);
  }
#pragma unroll
  for (int map = 0; map < MAPS; map++) {
    if (thread < WIDTH) shared.curvature[map][thread] = maps[map].curvature[thread];
  }
  static_assert(2 * MAPS <= WARPS);
  int mine = thread / WARP;
  float before = EXP && mine < 2 * MAPS ? Rows::of(maps, mine / 2).scale[group] : 0;

  awaitPrevious();
  packed += sequence * 3 * HEADS * WIDTH + head * WIDTH;
  float value[QUAD];
#pragma unroll
  for (int i = 0; i < QUAD; i++) value[i] = part.column[i] < WIDTH ? widen(packed[2 * HEADS * WIDTH + part.column[i]]) : 1;
  if (thread < HALF) {
#pragma unroll
    for (int side = QUERY; side <= KEY; side++) {
      float left = widen(packed[side * HEADS * WIDTH + thread]);
      float right = widen(packed[side * HEADS * WIDTH + thread + HALF]);
      shared.token[side][thread] = left * cosine - right * sine;
      shared.token[side][thread + HALF] = right * cosine + left * sine;
    }
  }
  __syncthreads();
  rows.project(shared);
  __syncthreads();
  if (mine < 2 * MAPS) scale(shared, mine % 2, mine / 2, before);
  __syncthreads();

  part.goOn(shared, value, split * QUADS);
  if (part.team < TEAMS) {
#pragma unroll
    for (int i = 0; i < QUAD; i++) shared.sums[part.team][thread % COLUMNS * QUAD + i] = part.sum[i];
  }
  __syncthreads();
  if (thread < COLUMNS) {
    float total = 0;
#pragma unroll
    for (int i = 0; i < TEAMS * QUAD; i++) total += shared.sums[i / QUAD][i % QUAD * COLUMNS + thread];
    shared.total[thread] = total;
  }
  if constexpr (SPLITS > 1) {
    awaitCluster();
  } else {
    __syncthreads();
  }
  if (split == 0 && thread < WIDTH) {
    float weighted = 0;
    float weights = 0;
#pragma unroll
    for (int i = 0; i < SPLITS; i++) {
      weighted += i == split ? shared.total[thread] : peer(shared.total[thread], i);
      weights += i == split ? shared.total[WIDTH] : peer(shared.total[WIDTH], i);
    }
    out[thread] = (Bits)pack(weights <= 0 ? 0 : weighted / weights, 0);
  }
  // All blocks have read the scales by now.
  if (EXP && split == 0 && thread < MAPS) Rows::of(maps, thread).scale[group] = shared.scale[thread];
  if constexpr (SPLITS > 1) awaitCluster();
}
