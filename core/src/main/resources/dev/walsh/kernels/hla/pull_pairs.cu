// The part of pull.cu that pairs of tokens within a chunk have in the gradients of features. Defines as there; after pull_shape.cu.

// The products of 16 · DOWN rows and OTHERS_AT_ONCE columns, tile after tile.
struct Pairs {
  float value[DOWN][OTHERS_AT_ONCE / 8][4];
};

template <int RANK>
__device__ __forceinline__ void similarities(Pairs& found, const Bits* features, const Bits* others) {
  found = Pairs{};
#pragma unroll
  for (int step = 0; step < RANK; step += 16) {
    Fragment a[DOWN];
#pragma unroll
    for (int i = 0; i < DOWN; i++) a[i] = aOfColumns(features + step * BLOCK_STRIDE + i * 16, BLOCK_STRIDE);
#pragma unroll
    for (int j = 0; j < OTHERS_AT_ONCE / 8; j += 2) {
      auto b = bOfRows(others + step * OTHER_STRIDE + j * 8, OTHER_STRIDE);
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        addProduct(found.value[i][j], a[i], b.r[0], b.r[1]);
        addProduct(found.value[i][j + 1], a[i], b.r[2], b.r[3]);
      }
    }
  }
}

// gradient += (ofPairs · similarity) · others' features.
template <int RANK>
__device__ __forceinline__ void pullFactor(float (&gradient)[DOWN][RANK / 8][4], const Pairs& ofPairs, const Pairs& similarity,
    const Bits* others) {
#pragma unroll
  for (int step = 0; step < OTHERS_AT_ONCE; step += 16) {
    Fragment a[DOWN];
#pragma unroll
    for (int i = 0; i < DOWN; i++) {
#pragma unroll
      for (int r = 0; r < 4; r++) {
        const float* of = ofPairs.value[i][step / 8 + r / 2] + r % 2 * 2;
        const float* by = similarity.value[i][step / 8 + r / 2] + r % 2 * 2;
        a[i].r[r] = TWO ? pack(of[0] * by[0], of[1] * by[1]) : pack(of[0], of[1]);
      }
    }
#pragma unroll
    for (int j = 0; j < RANK / 8; j += 2) {
      auto b = bOfColumns(others + j * 8 * OTHER_STRIDE + step, OTHER_STRIDE);
#pragma unroll
      for (int i = 0; i < DOWN; i++) {
        addProduct(gradient[i][j], a[i], b.r[0], b.r[1]);
        addProduct(gradient[i][j + 1], a[i], b.r[2], b.r[3]);
      }
    }
  }
}

// All pairs of the warp's tokens, the first being `first`, and of a tile of others, whose first is `from`.
__device__ __forceinline__ void pullPairs(Gradient& gradient, const Bits* columns, const Weights& weights, const Bits* features,
    const Bits* tile, bool otherCounts, int first, int from) {
  const Bits* otherColumns = tile + (SLICE + TRAIL_ROWS) * OTHER_STRIDE;
  const float* otherWeights = reinterpret_cast<const float*>(otherColumns + OTHERS * WIDTH_STRIDE);
#pragma unroll 1
  for (int other = 0; other < OTHERS; other += OTHERS_AT_ONCE) {
    if (SEEN == 1 && from + other > first + 16 * DOWN - 1) return;
    if (SEEN == 2 && from + other + OTHERS_AT_ONCE - 1 < first) continue;
    Pairs ofPairs;
#pragma unroll
    for (int j = 0; j < OTHERS_AT_ONCE / 8; j++) {
      int column = other + j * 8 + lane() % 4 * 2;
      float2 by = otherCounts ? *reinterpret_cast<const float2*>(otherWeights + column) : make_float2(1, 1);
#pragma unroll
      for (int i = 0; i < DOWN * 2; i++) {
        ofPairs.value[i / 2][j][i % 2 * 2] = weights.of[i / 2][i % 2] * by.x;
        ofPairs.value[i / 2][j][i % 2 * 2 + 1] = weights.of[i / 2][i % 2] * by.y;
      }
    }
#pragma unroll
    for (int step = 0; step < WIDTH; step += 16) {
      Fragment a[DOWN];
#pragma unroll
      for (int i = 0; i < DOWN; i++) a[i] = aOfRows(columns + i * 16 * WIDTH_STRIDE + step, WIDTH_STRIDE);
#pragma unroll
      for (int j = 0; j < OTHERS_AT_ONCE / 8; j += 2) {
        auto b = bOfColumns(otherColumns + (other + j * 8) * WIDTH_STRIDE + step, WIDTH_STRIDE);
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
          addProduct(ofPairs.value[i][j], a[i], b.r[0], b.r[1]);
          addProduct(ofPairs.value[i][j + 1], a[i], b.r[2], b.r[3]);
        }
      }
    }
    if constexpr (SEEN != 0) {
#pragma unroll
      for (int e = 0; e < DOWN * OTHERS_AT_ONCE / 2; e++) {
        int i = e / (OTHERS_AT_ONCE / 2);
        int j = e / 4 % (OTHERS_AT_ONCE / 8);
        int ahead = from + other + j * 8 + lane() % 4 * 2 + e % 2 - (first + i * 16 + e / 2 % 2 * 8 + lane() / 4);
        if (SEEN == 1 ? ahead > 0 : ahead < 0) ofPairs.value[i][j][e % 4] = 0;
      }
    }
    Pairs similarity;
    if constexpr (TWO) similarities<TRAIL_ROWS>(similarity, features + SLICE * BLOCK_STRIDE, tile + SLICE * OTHER_STRIDE + other);
    pullFactor<SLICE>(gradient.lead, ofPairs, similarity, tile + other);
    if constexpr (TWO) {
      similarities<SLICE>(similarity, features, tile + other);
      pullFactor<TRAIL_GRADIENTS>(gradient.trail, ofPairs, similarity, tile + SLICE * OTHER_STRIDE + other);
    }
  }
}
