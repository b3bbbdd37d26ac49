// All softplus features of tokens in one pass over the tokens: with u = W x + bias, softplus(u) times the scale that features.cu gives a token.
//
//   project(const Bits* x, const Bits* weight0, weight1, weight2, const Bits* bias0, bias1, bias2, const float* curvature0, curvature1, curvature2,
//           Bits* out0, out1, out2, int tokens, int heads, long long batchStride, long long headStride, long long tokenStride)
//
// x is (B, H, tokens, WIDTH) by its strides, in elements; of each of the MAPS, weight is (H, RANK, WIDTH), bias (H, RANK) and out (B, H, RANK, tokens),
// all bf16, and curvature (WIDTH) float32. Products are of bf16, all other arithmetic is float32, rounded once, but for the squares of channels.
//
// -DKEYS: 1 or 0; -DMAPS, 3 at most; -DRANK, a multiple of 16, or of 8 where there are two maps; -DWIDTH, a multiple of 16; all strides of x are
// multiples of 8; -DWARPS of a block, each of which has 32 tokens. Launch B * H * ceil(tokens / (32 * WARPS)) blocks of 32 * WARPS threads.
#include "projection.cu"

// Maps whose features fill tiles of 16.
constexpr int TOGETHER = RANK % TILE == 0 ? 1 : 2;
constexpr int EIGHTS = RANK / 8;
constexpr int DOWN = TOGETHER * RANK / TILE;
constexpr int ACROSS = OWN / 8;
// Neighbouring tokens of a thread.
constexpr int RUN = 2 * ACROSS;

struct alignas(RUN * sizeof(Bits)) Run {
  unsigned pairs[ACROSS];
};

extern "C" __device__ const int projectBytes = (TOKENS + ROWS + KEYS * TILE) * STRIDE * sizeof(Bits);

// Fetches a warp's tokens, in the order by which a thread's columns of all its tiles of sums are neighbours.
__device__ __forceinline__ void fetchTokens(Bits* to, const Bits* x, long long stride, int count) {
  constexpr int VECTORS = WIDTH / 8;
#pragma unroll
  for (int base = 0; base < OWN * VECTORS; base += WARP) {
    int row = (base + lane()) / VECTORS;
    int column = (base + lane()) % VECTORS * 8;
    int token = row % 8 / 2 * RUN + row / 8 * 2 + row % 2;
    fetch(to + row * STRIDE + column, token < count ? x + token * stride + column : x, token < count);
  }
}

// The bias of each row of the matrices goes behind it, where nothing but padding is.
__device__ __forceinline__ void storeBiases(Bits* matrices, int head, const Bits* first, const Bits* second, const Bits* third) {
  for (int i = threadIdx.x; i < ROWS; i += THREADS) {
    matrices[i * STRIDE + WIDTH] = ofMap(i / RANK, first, second, third)[head * RANK + i % RANK];
  }
}

// Twice by how much each map bends a token: of map m in the lanes of row m, as sums of its two rows of curvature.
__device__ __forceinline__ void bend(float (&bent)[ACROSS][4], const Bits* own, const Bits* curvature) {
#pragma unroll 2
  for (int k = 0; k < WIDTH; k += TILE) {
    Fragment a = aOfRows(curvature + k, STRIDE);
#pragma unroll
    for (int j = 0; j < ACROSS / 2; j++) {
      Fragment b = squares(bOfColumns(own + j * TILE * STRIDE + k, STRIDE));
      addProduct(bent[2 * j], a, b.r[0], b.r[1]);
      addProduct(bent[2 * j + 1], a, b.r[2], b.r[3]);
    }
  }
}

__device__ __forceinline__ void store(Bits* to, const Run& run, int token, int tokens) {
  if (tokens % RUN == 0) {
    if (token < tokens) *reinterpret_cast<Run*>(to) = run;
    return;
  }
#pragma unroll
  for (int i = 0; i < RUN; i++) {
    if (token + i < tokens) to[i] = (Bits)(run.pairs[i / 2] >> i % 2 * 16);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) project(const Bits* x, const Bits* weight0, const Bits* weight1, const Bits* weight2,
    const Bits* bias0, const Bits* bias1, const Bits* bias2, const float* curvature0, const float* curvature1, const float* curvature2, Bits* out0,
    Bits* out1, Bits* out2, int tokens, int heads, long long batchStride, long long headStride, long long tokenStride) {
  extern __shared__ __align__(16) Bits shared[];
  Bits* matrices = shared + TOKENS * STRIDE;
  Bits* curvature = matrices + ROWS * STRIDE;
  int blocks = (tokens + TOKENS - 1) / TOKENS;
  int group = blockIdx.x / blocks;
  int first = (int)(blockIdx.x % blocks) * TOKENS;
  int head = group % heads;
  int mine = threadIdx.x / WARP * OWN;
  Bits* own = shared + mine * STRIDE;
  x += group / heads * batchStride + head * headStride + (first + mine) * tokenStride;
  fetchTokens(own, x, tokenStride, tokens - first - mine);
  fetchMatrices(matrices, head, weight0, weight1, weight2);
  commit();
  storeBiases(matrices, head, bias0, bias1, bias2);
  if constexpr (KEYS) storeCurvature(curvature, curvature0, curvature1, curvature2);
  settle<0>();
  __syncthreads();

  int row = lane() / 4;
  int token = first + mine + lane() % 4 * RUN;
  float bent[ACROSS][4] = {};
  if constexpr (KEYS) bend(bent, own, curvature);
#pragma unroll 1
  for (int map = 0; map < MAPS; map += TOGETHER) {
    // Rows 8 apart, so that a half of a thread's sums is of one map.
    float u[DOWN][ACROSS][4];
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float shift = widen(matrices[(map * RANK + i * TILE + half * 8 + row) * STRIDE + WIDTH]);
#pragma unroll
        for (int j = 0; j < ACROSS; j++) u[i][j][2 * half] = u[i][j][2 * half + 1] = shift;
      }
    }
#pragma unroll 2
    for (int k = 0; k < WIDTH; k += TILE) {
      Fragment b[ACROSS / 2];
#pragma unroll
      for (int j = 0; j < ACROSS / 2; j++) b[j] = bOfColumns(own + j * TILE * STRIDE + k, STRIDE);
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        Fragment a = aOfRows(matrices + (map * RANK + i * TILE) * STRIDE + k, STRIDE);
#pragma unroll
        for (int j = 0; j < ACROSS; j++) addProduct(u[i][j], a, b[j / 2].r[j % 2 * 2], b[j / 2].r[j % 2 * 2 + 1]);
      }
    }
#pragma unroll
    for (int j = 0; j < ACROSS; j++) {
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
#pragma unroll
        for (int e = 0; e < 4; e++) u[i][j][e] = softplus(u[i][j][e]);
      }
#pragma unroll
      for (int m = 0; m < TOGETHER; m++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
          float scale;
          if constexpr (KEYS) {
            scale = reciprocal(1 + 0.5f * __shfl_sync(0xffffffffu, bent[j][e] + bent[j][e + 2], (map + m) * 4 + lane() % 4));
          } else {
            float sum = 0;
#pragma unroll
            for (int eight = m * EIGHTS; eight < (m + 1) * EIGHTS; eight++) sum += u[eight / 2][j][eight % 2 * 2 + e];
#pragma unroll
            for (int distance = 4; distance < WARP; distance *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
            scale = reciprocal(fmaxf(sum / RANK, TINY));
          }
#pragma unroll
          for (int eight = m * EIGHTS; eight < (m + 1) * EIGHTS; eight++) u[eight / 2][j][eight % 2 * 2 + e] *= scale;
        }
      }
    }
#pragma unroll
    for (int eight = 0; eight < TOGETHER * EIGHTS; eight++) {
      Run run;
#pragma unroll
      for (int j = 0; j < ACROSS; j++) run.pairs[j] = pack(u[eight / 2][j][eight % 2 * 2], u[eight / 2][j][eight % 2 * 2 + 1]);
      Bits* out = ofMap(map + eight / EIGHTS, out0, out1, out2);
      store(out + ((long long)group * RANK + eight % EIGHTS * 8 + row) * tokens + token, run, token, tokens);
    }
  }
}
