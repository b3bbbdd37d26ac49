// The gradient of project.cu, in one pass over the tokens, from which everything is made again: with g that of a map's features and a token's
// scale s, dU = g · s · sigmoid(u), dX = Wᵀ dU, and for keys, whose scale is 1 / (1 + h), dX += −s² (Σ g · softplus(u)) · curvature · x. A scale of queries is
// a constant.
//
//   pullProjection(const Bits* x, const Bits* weight, const Bits* bias, const float* curvature, const Bits* g0, const Bits* g1, const Bits* g2,
//                  Bits* dX, float* dWeight, float* dBias, int tokens, int batch, int heads, int slices, long long batchStride,
//                  long long headStride, long long tokenStride)
//
// x, weight, bias and curvature are as in project.cu, g like its out; dX is (B, H, tokens, WIDTH) bf16; dWeight (H, slices, MAPS * RANK, WIDTH) and
// dBias (H, slices, MAPS * RANK) float32 are parts, still to be added up. tokens is a multiple of 8.
//
// Defines: project.cu; WIDTH is a multiple of 16 * WARPS. Launch heads * slices blocks of 32 * WARPS threads, a block for every slices-th tile of
// a head's tokens.
#include "projection.cu"

constexpr int EIGHTS = ROWS / 8;
constexpr int PAIRS = ROWS / 16;
constexpr int G_STRIDE = TOKENS + PAD;
constexpr int U_STRIDE = ROWS + PAD;
constexpr int COLUMNS = WIDTH % 64 == 0 ? 64 : 16;
// Columns of W that a warp has the gradient of.
constexpr int ACROSS = WIDTH / WARPS;
static_assert(ACROSS % 16 == 0);

extern "C" __device__ const int pullProjectionBytes = ((TOKENS + ROWS) * STRIDE + ROWS * G_STRIDE + TOKENS * U_STRIDE) * sizeof(Bits);

__device__ __forceinline__ float sigmoid(float u) { return 1 / (1 + __expf(-u)); }

// The sum over the four lanes that share a row.
__device__ __forceinline__ float acrossRow(float sum) {
  sum += __shfl_xor_sync(0xffffffffu, sum, 1);
  return sum + __shfl_xor_sync(0xffffffffu, sum, 2);
}

extern "C" __global__ void __launch_bounds__(THREADS) pullProjection(const Bits* x, const Bits* weight, const Bits* bias,
    const float* curvature, const Bits* g0, const Bits* g1, const Bits* g2, Bits* dX, float* dWeight, float* dBias, int tokens, int batch, int heads,
    int slices, long long batchStride, long long headStride, long long tokenStride) {
  extern __shared__ __align__(16) Bits shared[];
  Bits* tile = shared;
  Bits* matrices = tile + TOKENS * STRIDE;
  Bits* given = matrices + ROWS * STRIDE;
  Bits* ofU = given + ROWS * G_STRIDE;
  int head = blockIdx.x / slices;
  int slice = blockIdx.x % slices;
  bias += head * ROWS;
  fetchTile<ROWS, WIDTH, THREADS>(matrices, weight + (long long)head * ROWS * WIDTH, WIDTH, ROWS, WIDTH);
  int mine = threadIdx.x / WARP * OWN;
  int columns = threadIdx.x / WARP * ACROSS;
  int row = lane() / 4;
  int two = lane() % 4 * 2;
  float sums[PAIRS][ACROSS / 8][4] = {};
  float counts[PAIRS][4] = {};

  int tiles = (tokens + TOKENS - 1) / TOKENS;
  for (int at = slice; at < batch * tiles; at += slices) {
    int b = at / tiles;
    int first = at % tiles * TOKENS;
    long long group = (long long)b * heads + head;
    __syncthreads();
    fetchTile<TOKENS, WIDTH, THREADS>(tile, x + b * batchStride + head * headStride + first * tokenStride, tokenStride, tokens - first, WIDTH);
#pragma unroll
    for (int map = 0; map < MAPS; map++) {
      const Bits* g = (map == 0 ? g0 : map == 1 ? g1 : g2) + group * RANK * tokens + first;
      fetchTile<RANK, TOKENS, THREADS>(given + map * RANK * G_STRIDE, g, tokens, RANK, tokens - first);
    }
    commit();
    settle<0>();
    __syncthreads();

    // A thread has tokens row and row + 8 of both tiles of 16, at features two and two + 1 of each eight.
    float u[2][EIGHTS][4];
#pragma unroll
    for (int n = 0; n < EIGHTS; n++) {
      float left = widen(bias[n * 8 + two]);
      float right = widen(bias[n * 8 + two + 1]);
#pragma unroll
      for (int i = 0; i < 2; i++) {
        u[i][n][0] = u[i][n][2] = left;
        u[i][n][1] = u[i][n][3] = right;
      }
    }
#pragma unroll 2
    for (int k = 0; k < WIDTH; k += 16) {
      Fragment a[2];
#pragma unroll
      for (int i = 0; i < 2; i++) a[i] = aOfRows(tile + (mine + i * 16) * STRIDE + k, STRIDE);
#pragma unroll
      for (int p = 0; p < PAIRS; p++) {
        Fragment w = bOfColumns(matrices + p * 16 * STRIDE + k, STRIDE);
#pragma unroll
        for (int i = 0; i < 2; i++) {
          addProduct(u[i][2 * p], a[i], w.r[0], w.r[1]);
          addProduct(u[i][2 * p + 1], a[i], w.r[2], w.r[3]);
        }
      }
    }
    float scale[MAPS][2][2];
#pragma unroll
    for (int map = 0; map < MAPS; map++) {
      float bent = KEYS ? bend(tile + (mine + lane()) * STRIDE, curvature + map * WIDTH) : 0;
#pragma unroll
      for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
          if constexpr (KEYS) {
            scale[map][i][e] = 1 / (1 + __shfl_sync(0xffffffffu, bent, i * 16 + e * 8 + row));
          } else {
            float sum = 0;
#pragma unroll
            for (int n = map * RANK / 8; n < (map + 1) * RANK / 8; n++) sum += softplus(u[i][n][2 * e]) + softplus(u[i][n][2 * e + 1]);
            scale[map][i][e] = 1 / fmaxf(acrossRow(sum) / RANK, TINY);
          }
        }
      }
    }
    Fragment dU[2][PAIRS];
    float half[MAPS][2][2] = {};
#pragma unroll
    for (int p = 0; p < PAIRS; p++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        Fragment g = aOfColumns(given + p * 16 * G_STRIDE + mine + i * 16, G_STRIDE);
#pragma unroll
        for (int q = 0; q < 4; q++) {
          int n = 2 * p + q / 2;
          int e = q % 2;
          int map = n * 8 / RANK;
          float left = u[i][n][2 * e];
          float right = u[i][n][2 * e + 1];
          if constexpr (KEYS) half[map][i][e] += low(g.r[q]) * softplus(left) + high(g.r[q]) * softplus(right);
          float s = scale[map][i][e];
          dU[i][p].r[q] = pack(low(g.r[q]) * s * sigmoid(left), high(g.r[q]) * s * sigmoid(right));
          *reinterpret_cast<unsigned*>(ofU + (mine + i * 16 + e * 8 + row) * U_STRIDE + n * 8 + two) = dU[i][p].r[q];
        }
      }
    }
    if constexpr (KEYS) {
#pragma unroll
      for (int map = 0; map < MAPS; map++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
#pragma unroll
          for (int e = 0; e < 2; e++) half[map][i][e] = -acrossRow(half[map][i][e]) * scale[map][i][e] * scale[map][i][e];
        }
      }
    }
#pragma unroll 1
    for (int from = 0; from < WIDTH; from += COLUMNS) {
      float d[2][COLUMNS / 8][4] = {};
#pragma unroll
      for (int p = 0; p < PAIRS; p++) {
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n += 2) {
          Fragment w = bOfRows(matrices + p * 16 * STRIDE + from + n * 8, STRIDE);
#pragma unroll
          for (int i = 0; i < 2; i++) {
            addProduct(d[i][n], dU[i][p], w.r[0], w.r[1]);
            addProduct(d[i][n + 1], dU[i][p], w.r[2], w.r[3]);
          }
        }
      }
#pragma unroll
      for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
          int within = mine + i * 16 + e * 8 + row;
          if (first + within >= tokens) continue;
          Bits* to = dX + (group * tokens + first + within) * WIDTH + from + two;
          const Bits* channels = tile + within * STRIDE + from + two;
#pragma unroll
          for (int n = 0; n < COLUMNS / 8; n++) {
            float left = d[i][n][2 * e];
            float right = d[i][n][2 * e + 1];
            if constexpr (KEYS) {
              unsigned pair = *reinterpret_cast<const unsigned*>(channels + n * 8);
#pragma unroll
              for (int map = 0; map < MAPS; map++) {
                const float* by = curvature + map * WIDTH + from + n * 8 + two;
                left += half[map][i][e] * by[0] * low(pair);
                right += half[map][i][e] * by[1] * high(pair);
              }
            }
            *reinterpret_cast<unsigned*>(to + n * 8) = pack(left, right);
          }
        }
      }
    }
    __syncthreads();
#pragma unroll 1
    for (int k = 0; k < TOKENS; k += 16) {
      Fragment values[ACROSS / 16];
#pragma unroll
      for (int n = 0; n < ACROSS / 16; n++) values[n] = bOfRows(tile + k * STRIDE + columns + n * 16, STRIDE);
#pragma unroll
      for (int p = 0; p < PAIRS; p++) {
        Fragment a = aOfColumns(ofU + k * U_STRIDE + p * 16, U_STRIDE);
#pragma unroll
        for (int n = 0; n < ACROSS / 16; n++) {
          addProduct(sums[p][2 * n], a, values[n].r[0], values[n].r[1]);
          addProduct(sums[p][2 * n + 1], a, values[n].r[2], values[n].r[3]);
        }
        addProduct(counts[p], a, columnOfOnes(), columnOfOnes());
      }
    }
  }
  dWeight += (long long)blockIdx.x * ROWS * WIDTH + columns;
  dBias += (long long)blockIdx.x * ROWS;
#pragma unroll
  for (int p = 0; p < PAIRS; p++) {
#pragma unroll
    for (int e = 0; e < 2; e++) {
      int feature = p * 16 + e * 8 + row;
#pragma unroll
      for (int n = 0; n < ACROSS / 8; n++) {
        *reinterpret_cast<float2*>(dWeight + (long long)feature * WIDTH + n * 8 + two) = make_float2(sums[p][n][2 * e], sums[p][n][2 * e + 1]);
      }
      if (threadIdx.x / WARP == 0 && two == 0) dBias[feature] = counts[p][2 * e];
    }
  }
}
