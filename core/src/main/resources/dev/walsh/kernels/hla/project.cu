// All softplus features of tokens in one pass over the tokens: with u = W x + bias, softplus(u) times the scale that features.cu gives a token.
//
//   project(const Bits* x, const Bits* weight, const Bits* bias, const float* curvature, Bits* out0, Bits* out1, Bits* out2, int tokens,
//           int heads, long long batchStride, long long headStride, long long tokenStride)
//
// x is (B, H, tokens, WIDTH) by its strides, in elements; weight (H, MAPS, RANK, WIDTH), bias (H, MAPS, RANK), all bf16; curvature (MAPS, WIDTH)
// float32; each of the MAPS out is (B, H, RANK, tokens) bf16. Products are of bf16, all other arithmetic is float32,
// rounded once.
//
// -DKEYS: 1 or 0; -DMAPS, 3 at most; -DRANK, a multiple of 16, or of 8 where there are two maps; -DWIDTH, a multiple of 16; all strides of x are
// multiples of 8; -DWARPS of a block, each of which has 32 tokens. Launch B * H * ceil(tokens / (32 * WARPS)) blocks of 32 * WARPS threads.
#include "projection.cu"

// Maps whose features fill tiles of 16.
constexpr int TOGETHER = RANK % 16 == 0 ? 1 : 2;
constexpr int EIGHTS = RANK / 8;
constexpr int DOWN = TOGETHER * RANK / 16;
constexpr int ACROSS = OWN / 8;

extern "C" __device__ const int projectBytes = (TOKENS + ROWS) * STRIDE * sizeof(Bits);

extern "C" __global__ void __launch_bounds__(THREADS) project(const Bits* x, const Bits* weight, const Bits* bias, const float* curvature,
    Bits* out0, Bits* out1, Bits* out2, int tokens, int heads, long long batchStride, long long headStride, long long tokenStride) {
  extern __shared__ __align__(16) Bits shared[];
  Bits* tile = shared;
  Bits* matrices = shared + TOKENS * STRIDE;
  int blocks = (tokens + TOKENS - 1) / TOKENS;
  long long group = blockIdx.x / blocks;
  int first = (int)(blockIdx.x % blocks) * TOKENS;
  int head = (int)(group % heads);
  x += group / heads * batchStride + head * headStride + first * tokenStride;
  bias += head * ROWS;
  fetchTile<TOKENS, WIDTH, THREADS>(tile, x, tokenStride, tokens - first, WIDTH);
  fetchTile<ROWS, WIDTH, THREADS>(matrices, weight + (long long)head * ROWS * WIDTH, WIDTH, ROWS, WIDTH);
  commit();
  settle<0>();
  __syncthreads();

  int mine = threadIdx.x / WARP * OWN;
  const Bits* own = tile + mine * STRIDE;
  int row = lane() / 4;
  int column = lane() % 4 * 2;
#pragma unroll 1
  for (int map = 0; map < MAPS; map += TOGETHER) {
    // Rows 8 apart, so that a half of a thread's sums is of one map.
    float u[DOWN][ACROSS][4];
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
      float upper = widen(bias[map * RANK + i * 16 + row]);
      float lower = widen(bias[map * RANK + i * 16 + row + 8]);
#pragma unroll
      for (int j = 0; j < ACROSS; j++) {
        u[i][j][0] = u[i][j][1] = upper;
        u[i][j][2] = u[i][j][3] = lower;
      }
    }
#pragma unroll 2
    for (int k = 0; k < WIDTH; k += 16) {
      Fragment b[ACROSS / 2];
#pragma unroll
      for (int j = 0; j < ACROSS / 2; j++) b[j] = bOfColumns(own + j * 16 * STRIDE + k, STRIDE);
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        Fragment a = aOfRows(matrices + (map * RANK + i * 16) * STRIDE + k, STRIDE);
#pragma unroll
        for (int j = 0; j < ACROSS; j++) addProduct(u[i][j], a, b[j / 2].r[j % 2 * 2], b[j / 2].r[j % 2 * 2 + 1]);
      }
    }
    float bent[TOGETHER];
#pragma unroll
    for (int m = 0; m < TOGETHER; m++) bent[m] = KEYS ? bend(own + lane() * STRIDE, curvature + (map + m) * WIDTH) : 0;
#pragma unroll
    for (int j = 0; j < ACROSS; j++) {
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
#pragma unroll
        for (int e = 0; e < 4; e++) u[i][j][e] = softplus(u[i][j][e]);
      }
      float scale[TOGETHER][2];
#pragma unroll
      for (int m = 0; m < TOGETHER; m++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
          if constexpr (KEYS) {
            scale[m][e] = 1 / (1 + __shfl_sync(0xffffffffu, bent[m], j * 8 + column + e));
          } else {
            float sum = 0;
#pragma unroll
            for (int eight = m * EIGHTS; eight < (m + 1) * EIGHTS; eight++) sum += u[eight / 2][j][eight % 2 * 2 + e];
#pragma unroll
            for (int distance = 4; distance < WARP; distance *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
            scale[m][e] = 1 / fmaxf(sum / RANK, TINY);
          }
        }
      }
      int token = first + mine + j * 8 + column;
      if (token >= tokens) continue;
#pragma unroll
      for (int eight = 0; eight < TOGETHER * EIGHTS; eight++) {
        int m = eight / EIGHTS;
        Bits* out = map + m == 0 ? out0 : map + m == 1 ? out1 : out2;
        const float* two = u[eight / 2][j] + eight % 2 * 2;
        Bits* to = out + (group * RANK + eight % EIGHTS * 8 + row) * tokens + token;
        unsigned pair = pack(two[0] * scale[m][0], two[1] * scale[m][1]);
        if (tokens % 2 == 0) {
          *reinterpret_cast<unsigned*>(to) = pair;
        } else {
          to[0] = (Bits)pair;
          if (token + 1 < tokens) to[1] = (Bits)(pair >> 16);
        }
      }
    }
  }
}
