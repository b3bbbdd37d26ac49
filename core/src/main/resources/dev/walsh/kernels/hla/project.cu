// All softplus features of tokens in one pass over the tokens, where no gradient is wanted: with u = W x + bias, softplus(u) times the scale that
// features.cu gives a token.
//
//   project(const Bits* x, const Bits* weight, const Bits* bias, const float* curvature, Bits* out0, Bits* out1, Bits* out2, int tokens,
//           int heads, long long batchStride, long long headStride, long long tokenStride)
//
// x is (B, H, tokens, WIDTH) by its strides, in elements; weight (H, MAPS, RANK, WIDTH), bias (H, MAPS, RANK), all bf16; curvature (MAPS, WIDTH)
// float32; each of the MAPS out is (B, H, RANK, tokens) bf16. tokens is a multiple of 2. Products are of bf16, all other arithmetic is float32,
// rounded once.
//
// -DKEYS: 1 or 0; -DMAPS, 3 at most; -DRANK and -DWIDTH, multiples of 16; all strides of x are multiples of 8; -DWARPS of a block, each of which
// has TOKENS / WARPS = 32 tokens. Launch B * H * ceil(tokens / (32 * WARPS)) blocks of 32 * WARPS threads.
#include "tensor_cores.cu"

constexpr int THREADS = WARP * WARPS;
constexpr int OWN = 32;
constexpr int TOKENS = OWN * WARPS;
constexpr int STRIDE = WIDTH + PAD;
constexpr int DOWN = RANK / 16;
constexpr int ACROSS = OWN / 8;
// No row of positive features is without weight, but all of one may round to zero.
constexpr float TINY = 1e-30f;
static_assert(RANK % 16 == 0 && WIDTH % 16 == 0);

extern "C" __device__ const int projectBytes = (TOKENS + MAPS * RANK) * STRIDE * sizeof(Bits);

__device__ __forceinline__ float softplus(float u) { return u > 20 ? u : log1pf(__expf(u)); }

// Half of the squares of a token's channels, so weighed.
__device__ __forceinline__ float bend(const Bits* token, const float* curvature) {
  float sum = 0;
#pragma unroll 4
  for (int c = 0; c < WIDTH; c += 8) {
    uint4 eight = *reinterpret_cast<const uint4*>(token + c);
    float4 by = *reinterpret_cast<const float4*>(curvature + c);
    float4 on = *reinterpret_cast<const float4*>(curvature + c + 4);
    sum += low(eight.x) * low(eight.x) * by.x + high(eight.x) * high(eight.x) * by.y;
    sum += low(eight.y) * low(eight.y) * by.z + high(eight.y) * high(eight.y) * by.w;
    sum += low(eight.z) * low(eight.z) * on.x + high(eight.z) * high(eight.z) * on.y;
    sum += low(eight.w) * low(eight.w) * on.z + high(eight.w) * high(eight.w) * on.w;
  }
  return 0.5f * sum;
}

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
  weight += (long long)head * MAPS * RANK * WIDTH;
  bias += head * MAPS * RANK;
  fetchTile<TOKENS, WIDTH, THREADS>(tile, x, tokenStride, tokens - first, WIDTH);
  fetchTile<MAPS * RANK, WIDTH, THREADS>(matrices, weight, WIDTH, MAPS * RANK, WIDTH);
  commit();
  settle<0>();
  __syncthreads();

  int mine = threadIdx.x / WARP * OWN;
  const Bits* own = tile + mine * STRIDE;
  int row = lane() / 4;
  int column = lane() % 4 * 2;
#pragma unroll 1
  for (int map = 0; map < MAPS; map++) {
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
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
#pragma unroll
      for (int j = 0; j < ACROSS; j++) {
#pragma unroll
        for (int e = 0; e < 4; e++) u[i][j][e] = softplus(u[i][j][e]);
      }
    }
    float bent = KEYS ? bend(own + lane() * STRIDE, curvature + map * WIDTH) : 0;
    Bits* out = (map == 0 ? out0 : map == 1 ? out1 : out2) + group * RANK * tokens;
#pragma unroll
    for (int j = 0; j < ACROSS; j++) {
      float scale[2];
#pragma unroll
      for (int e = 0; e < 2; e++) {
        if constexpr (KEYS) {
          scale[e] = 1 / (1 + __shfl_sync(0xffffffffu, bent, j * 8 + column + e));
        } else {
          float sum = 0;
#pragma unroll
          for (int i = 0; i < DOWN; i++) sum += u[i][j][e] + u[i][j][e + 2];
#pragma unroll
          for (int distance = 4; distance < WARP; distance *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
          scale[e] = 1 / fmaxf(sum / RANK, TINY);
        }
      }
      int token = first + mine + j * 8 + column;
      if (token >= tokens) continue;
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        Bits* to = out + (long long)(i * 16 + row) * tokens + token;
        *reinterpret_cast<unsigned*>(to) = pack(u[i][j][0] * scale[0], u[i][j][1] * scale[1]);
        *reinterpret_cast<unsigned*>(to + 8LL * tokens) = pack(u[i][j][2] * scale[0], u[i][j][3] * scale[1]);
      }
    }
  }
}
