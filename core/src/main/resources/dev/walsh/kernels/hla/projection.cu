// What the making of all features at once and its gradient have in common: the tiles, and the bend of keys.
#include "tensor_cores.cu"
#include "softplus.cu"

constexpr int THREADS = WARP * WARPS;
constexpr int OWN = 32;
constexpr int TOKENS = OWN * WARPS;
constexpr int ROWS = MAPS * RANK;
constexpr int STRIDE = WIDTH + PAD;
static_assert(RANK % 8 == 0 && ROWS % 16 == 0 && WIDTH % 16 == 0);

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
