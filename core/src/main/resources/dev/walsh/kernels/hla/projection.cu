// What the making of all features at once and its gradient have in common: the tiles, and by how much keys are bent.
#include "tensor_cores.cu"
#include "softplus.cu"

constexpr int THREADS = WARP * WARPS;
// Tokens of a warp, in tiles of 16.
constexpr int OWN = 32;
constexpr int TOKENS = OWN * WARPS;
constexpr int ROWS = MAPS * RANK;
constexpr int STRIDE = WIDTH + PAD;
constexpr int TILE = 16;
static_assert(RANK % 8 == 0 && ROWS % TILE == 0 && WIDTH % TILE == 0);

// One of each map's pointers.
template <class T>
__device__ __forceinline__ T* ofMap(int map, T* first, T* second, T* third) {
  return map == 0 ? first : map == 1 ? second : third;
}

// Fetches the matrices of all maps below each other.
__device__ __forceinline__ void fetchMatrices(Bits* to, int head, const Bits* first, const Bits* second, const Bits* third) {
#pragma unroll
  for (int map = 0; map < MAPS; map++) {
    const Bits* matrix = ofMap(map, first, second, third) + (long long)head * RANK * WIDTH;
    fetchTile<RANK, WIDTH, THREADS>(to + map * RANK * STRIDE, matrix, WIDTH, RANK, WIDTH);
  }
}

// A tile of 16 rows: that of a map is its curvature, rounded, the eighth row below that the rest of it, and others are never looked at.
__device__ __forceinline__ void storeCurvature(Bits* to, const float* first, const float* second, const float* third) {
#pragma unroll
  for (int map = 0; map < MAPS; map++) {
    for (int c = threadIdx.x; c < WIDTH; c += THREADS) {
      float curvature = ofMap(map, first, second, third)[c];
      unsigned rounded = pack(curvature, 0);
      to[map * STRIDE + c] = (Bits)rounded;
      to[(map + 8) * STRIDE + c] = (Bits)pack(curvature - low(rounded), 0);
    }
  }
}

// The squares of a fragment, each rounded.
__device__ __forceinline__ Fragment squares(const Fragment& of) {
  Fragment f;
#pragma unroll
  for (int i = 0; i < 4; i++) f.r[i] = multiply(of.r[i], of.r[i]);
  return f;
}
