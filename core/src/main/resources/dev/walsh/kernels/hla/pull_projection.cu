// The gradient of project.cu, in one pass over the tokens, from which everything is made again: with g that of a map's features and a token's
// scale s, dU = g · s · sigmoid(u), dX = Wᵀ dU, and for keys, whose scale is 1 / (1 + h), dX += −s² (Σ g · softplus(u)) · curvature · x. A scale of queries is
// a constant.
//
//   pullProjection(const Bits* x, const Bits* weight0, weight1, weight2, const Bits* bias0, bias1, bias2, const float* curvature0, curvature1,
//                  curvature2, const Bits* g0, g1, g2, Bits* dX, float* parts, int tokens, int batch, int heads, int slices,
//                  long long batchStride, long long headStride, long long tokenStride)
//
// x, weight, bias and curvature are as in project.cu, g like its out; dX is (B, tokens, H, WIDTH) bf16; parts (H, slices, MAPS * RANK * (WIDTH + 1))
// float32, still to be added up, are of the gradients of all maps' weights and then of all biases. tokens is a multiple of 8.
//
// Defines: project.cu, and -DBLOCKS that a multiprocessor has registers for; WIDTH is a multiple of 16 * WARPS, MAPS * RANK 16 * WARPS at most. Launch
// heads * slices blocks of 32 * WARPS threads, a block for every slices-th tile of a head's tokens.
#include "projection.cu"

constexpr int DOWN = OWN / TILE;
constexpr int EIGHTS = ROWS / 8;
constexpr int PAIRS = ROWS / TILE;
constexpr int G_STRIDE = TOKENS + PAD;
// Columns of dX that are made at a time.
constexpr int COLUMNS = WIDTH % 32 == 0 ? 32 : 16;
// Columns of W that a warp has the gradient of, beside that of one tile of biases.
constexpr int ACROSS = WIDTH / WARPS;
static_assert(ACROSS % TILE == 0 && PAIRS <= WARPS);

extern "C" __device__ const int pullProjectionBytes = ((TOKENS + ROWS + KEYS * TILE) * STRIDE + ROWS * G_STRIDE) * sizeof(Bits);

// The sum over the four lanes that share a row.
__device__ __forceinline__ float acrossRow(float sum) {
  sum += __shfl_xor_sync(0xffffffffu, sum, 1);
  return sum + __shfl_xor_sync(0xffffffffu, sum, 2);
}

// Twice by how much each map bends a token: rows of tokens, columns of maps.
__device__ __forceinline__ void bend(float (&bent)[DOWN][4], const Bits* own, const Bits* curvature) {
#pragma unroll 2
  for (int k = 0; k < WIDTH; k += TILE) {
    Fragment b = bOfColumns(curvature + k, STRIDE);
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
      Fragment a = squares(aOfRows(own + i * TILE * STRIDE + k, STRIDE));
      addProduct(bent[i], a, b.r[0], b.r[1]);
      addProduct(bent[i], a, b.r[2], b.r[3]);
    }
  }
}

// Stores a row's columns of two tiles, of which a thread has two each: four of one of them.
__device__ __forceinline__ void store(Bits* to, unsigned ofFirst, unsigned ofSecond, bool present) {
  bool odd = lane() % 2 == 1;
  unsigned other = __shfl_xor_sync(0xffffffffu, odd ? ofFirst : ofSecond, 1);
  uint2 four = odd ? make_uint2(other, ofSecond) : make_uint2(ofFirst, other);
  if (present) *reinterpret_cast<uint2*>(to + lane() % 2 * 8 + lane() % 4 / 2 * 4) = four;
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) pullProjection(const Bits* x, const Bits* weight0, const Bits* weight1,
    const Bits* weight2, const Bits* bias0, const Bits* bias1, const Bits* bias2, const float* curvature0, const float* curvature1,
    const float* curvature2, const Bits* g0, const Bits* g1, const Bits* g2, Bits* dX, float* parts, int tokens, int batch, int heads, int slices,
    long long batchStride, long long headStride, long long tokenStride) {
  extern __shared__ __align__(16) Bits shared[];
  Bits* tile = shared;
  Bits* matrices = tile + TOKENS * STRIDE;
  // First g, then dU.
  Bits* given = matrices + ROWS * STRIDE;
  Bits* curvature = given + ROWS * G_STRIDE;
  int head = blockIdx.x / slices;
  int slice = blockIdx.x % slices;
  fetchMatrices(matrices, head, weight0, weight1, weight2);
  if constexpr (KEYS) storeCurvature(curvature, curvature0, curvature1, curvature2);
  int warp = threadIdx.x / WARP;
  int mine = warp * OWN;
  const Bits* own = tile + mine * STRIDE;
  int row = lane() / 4;
  int two = lane() % 4 * 2;
  float sums[PAIRS][ACROSS / 8][4] = {};
  float counts[4] = {};

  int tiles = (tokens + TOKENS - 1) / TOKENS;
  for (int at = slice; at < batch * tiles; at += slices) {
    int b = at / tiles;
    int first = at % tiles * TOKENS;
    long long group = (long long)b * heads + head;
    __syncthreads();
    fetchTile<TOKENS, WIDTH, THREADS, 2>(tile, x + b * batchStride + head * headStride + first * tokenStride, tokenStride, tokens - first, WIDTH);
#pragma unroll
    for (int map = 0; map < MAPS; map++) {
      const Bits* g = ofMap(map, g0, g1, g2) + group * RANK * tokens + first;
      fetchTile<RANK, TOKENS, THREADS, 2>(given + map * RANK * G_STRIDE, g, tokens, RANK, tokens - first);
    }
    commit();
    settle<0>();
    __syncthreads();

    // A thread has tokens row and row + 8 of each tile of 16, at features two and two + 1 of each eight.
    float u[DOWN][EIGHTS][4];
#pragma unroll
    for (int n = 0; n < EIGHTS; n++) {
      unsigned shift = *reinterpret_cast<const unsigned*>(ofMap(n * 8 / RANK, bias0, bias1, bias2) + head * RANK + n * 8 % RANK + two);
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        u[i][n][0] = u[i][n][2] = low(shift);
        u[i][n][1] = u[i][n][3] = high(shift);
      }
    }
#pragma unroll 2
    for (int k = 0; k < WIDTH; k += TILE) {
      Fragment a[DOWN];
#pragma unroll
      for (int i = 0; i < DOWN; i++) a[i] = aOfRows(own + i * TILE * STRIDE + k, STRIDE);
#pragma unroll
      for (int p = 0; p < PAIRS; p++) {
        Fragment w = bOfColumns(matrices + p * TILE * STRIDE + k, STRIDE);
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
          addProduct(u[i][2 * p], a[i], w.r[0], w.r[1]);
          addProduct(u[i][2 * p + 1], a[i], w.r[2], w.r[3]);
        }
      }
    }
    // u becomes g · sigmoid(u).
    float sum[MAPS][DOWN][2] = {};
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        Fragment g = aOfColumns(given + p * TILE * G_STRIDE + mine + i * TILE, G_STRIDE);
#pragma unroll
        for (int q = 0; q < 4; q++) {
          int n = 2 * p + q / 2;
          float* of = u[i][n] + q % 2 * 2;
          Curve left = softplusWithSlope(of[0]);
          Curve right = softplusWithSlope(of[1]);
          sum[n * 8 / RANK][i][q % 2] += KEYS ? low(g.r[q]) * left.value + high(g.r[q]) * right.value : left.value + right.value;
          of[0] = low(g.r[q]) * left.slope;
          of[1] = high(g.r[q]) * right.slope;
        }
      }
    }
    float bent[DOWN][4] = {};
    if constexpr (KEYS) bend(bent, own, curvature);
    float scale[MAPS][DOWN][2];
    // The gradient of h.
    float half[MAPS][DOWN][2];
#pragma unroll
    for (int map = 0; map < MAPS; map++) {
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
          float all = acrossRow(sum[map][i][e]);
          if constexpr (KEYS) {
            float s = reciprocal(1 + 0.5f * __shfl_sync(0xffffffffu, bent[i][2 * e + map % 2], lane() / 4 * 4 + map / 2));
            scale[map][i][e] = s;
            half[map][i][e] = -all * s * s;
          } else {
            scale[map][i][e] = reciprocal(fmaxf(all / RANK, TINY));
          }
        }
      }
    }
    Fragment dU[DOWN][PAIRS];
    __syncwarp();
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
#pragma unroll
        for (int q = 0; q < 4; q++) {
          int n = 2 * p + q / 2;
          int e = q % 2;
          float s = scale[n * 8 / RANK][i][e];
          dU[i][p].r[q] = pack(u[i][n][2 * e] * s, u[i][n][2 * e + 1] * s);
          Bits* to = given + (n * 8 + row) * G_STRIDE + mine + i * TILE + e * 8 + two;
          *reinterpret_cast<unsigned*>(to) = transposed(dU[i][p].r[q]);
        }
      }
    }
#pragma unroll 1
    for (int from = 0; from < WIDTH; from += COLUMNS) {
      float d[DOWN][COLUMNS / 8][4] = {};
#pragma unroll
      for (int p = 0; p < PAIRS; p++) {
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n += 2) {
          Fragment w = bOfRows(matrices + p * TILE * STRIDE + from + n * 8, STRIDE);
#pragma unroll
          for (int i = 0; i < DOWN; i++) {
            addProduct(d[i][n], dU[i][p], w.r[0], w.r[1]);
            addProduct(d[i][n + 1], dU[i][p], w.r[2], w.r[3]);
          }
        }
      }
      if constexpr (KEYS) {
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++) {
          float2 by[MAPS];
#pragma unroll
          for (int map = 0; map < MAPS; map++) {
            by[map] = *reinterpret_cast<const float2*>(ofMap(map, curvature0, curvature1, curvature2) + from + n * 8 + two);
          }
#pragma unroll
          for (int i = 0; i < DOWN; i++) {
#pragma unroll
            for (int e = 0; e < 2; e++) {
              unsigned channels = *reinterpret_cast<const unsigned*>(own + (i * TILE + e * 8 + row) * STRIDE + from + n * 8 + two);
              float2 length = make_float2(0, 0);
#pragma unroll
              for (int map = 0; map < MAPS; map++) {
                length.x += half[map][i][e] * by[map].x;
                length.y += half[map][i][e] * by[map].y;
              }
              d[i][n][2 * e] += length.x * low(channels);
              d[i][n][2 * e + 1] += length.y * high(channels);
            }
          }
        }
      }
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
          int token = first + mine + i * TILE + e * 8 + row;
          Bits* to = dX + (((long long)b * tokens + token) * heads + head) * WIDTH + from;
#pragma unroll
          for (int n = 0; n < COLUMNS / 8; n += 2) {
            unsigned left = pack(d[i][n][2 * e], d[i][n][2 * e + 1]);
            unsigned right = pack(d[i][n + 1][2 * e], d[i][n + 1][2 * e + 1]);
            store(to + n * 8, left, right, token < tokens);
          }
        }
      }
    }
    __syncthreads();
#pragma unroll 1
    for (int k = 0; k < TOKENS; k += TILE) {
      Fragment values[ACROSS / TILE];
#pragma unroll
      for (int n = 0; n < ACROSS / TILE; n++) values[n] = bOfRows(tile + k * STRIDE + warp * ACROSS + n * TILE, STRIDE);
#pragma unroll
      for (int p = 0; p < PAIRS; p++) {
        Fragment a = aOfRows(given + p * TILE * G_STRIDE + k, G_STRIDE);
#pragma unroll
        for (int n = 0; n < ACROSS / TILE; n++) {
          addProduct(sums[p][2 * n], a, values[n].r[0], values[n].r[1]);
          addProduct(sums[p][2 * n + 1], a, values[n].r[2], values[n].r[3]);
        }
        if (p == warp) addProduct(counts, a, columnOfOnes(), columnOfOnes());
      }
    }
  }
  parts += (long long)blockIdx.x * ROWS * (WIDTH + 1);
#pragma unroll
  for (int p = 0; p < PAIRS; p++) {
#pragma unroll
    for (int e = 0; e < 2; e++) {
      int feature = p * TILE + e * 8 + row;
      float* to = parts + feature * WIDTH + warp * ACROSS + two;
#pragma unroll
      for (int n = 0; n < ACROSS / 8; n++) {
        *reinterpret_cast<float2*>(to + n * 8) = make_float2(sums[p][n][2 * e], sums[p][n][2 * e + 1]);
      }
      if (p == warp && two == 0) parts[ROWS * WIDTH + feature] = counts[2 * e];
    }
  }
}
