// Features of tokens from their projections, and the way back: with u = z[a, n] + bias[a], f(u) times a scale of the token, where f is softplus(u) or
// max(u, 0) + BOUND, and the scale
//
//   keys     1 / (1 + h),   h = Σ_c curvature[c] · x[n, c]² / 2;   1 where they are not bent
//   queries  1 / the mean of f(u) over a: whatever multiplies all features of a query cancels, h among it
//
// or, of queries alone, exp of u − s, but of BOUND at least, where the scale s is the greatest u over a.
//
//   features(const Bits* z, const Bits* bias, const Bits* x, const float* curvature, Bits* out, float* scales, int tokens, int heads,
//            long long batchStride, long long headStride, long long tokenStride)
//   pullFeatures(const Bits* z, const Bits* bias, const float* scales, const Bits* dOut, Bits* dZ, float* dHalf, int tokens, int heads)
//   bend(const Bits* x, const float* curvature, const float* dHalf, Bits* dX, int tokens, int heads, long long rows,
//        long long batchStride, long long headStride, long long tokenStride)
//
// z, out and their gradients are (B, H, RANK, tokens), bias (H, RANK), x (B, H, tokens, WIDTH) by its strides, in elements, all bf16; curvature (WIDTH),
// scales and dHalf, the gradient of h, (B, H, tokens) float32. A scale of queries is a constant, and so are x and curvature not read, nor dHalf written,
// for them, or for keys that are not bent. bend makes of the gradient of h its share of that of x, (B, H, tokens, WIDTH), of so many rows.
// Arithmetic is float32, rounded once.
//
// -DMAP: 0 for softplus, 1 for ReLU, 2 for exp; -DBOUND, a float; -DKEYS: 1 or 0; -DBENT: 1 or 0, and 0 but for keys; -DRANK; -DWIDTH and all strides
// of x multiples of 4; -DVECTOR, a power of two, 4 at most, that divides tokens; -DTHREADS. Launch
// B * H * ceil(tokens / (THREADS * VECTOR)) blocks, of bend ceil(B * H * tokens * WIDTH / 4 / THREADS).
#include "tensor_cores.cu"
#include "softplus.cu"

constexpr int TOKENS = THREADS * VECTOR;
// Below every projection.
constexpr float LOWEST = -3e38f;

struct alignas(VECTOR * sizeof(Bits)) Tokens {
  Bits of[VECTOR];
};

__device__ __forceinline__ Tokens tokensAt(const Bits* from) { return *reinterpret_cast<const Tokens*>(from); }
__device__ __forceinline__ void store(Bits* to, const Tokens& tokens) { *reinterpret_cast<Tokens*>(to) = tokens; }
__device__ __forceinline__ Bits narrow(float value) { return (Bits)pack(value, 0); }

// f and its derivative. What is no number remains none.
__device__ __forceinline__ float feature(float u) {
  if constexpr (MAP == 1) return (u <= 0 ? 0 : u) + BOUND;
  return softplus(u);
}
__device__ __forceinline__ float slope(float u) {
  if constexpr (MAP == 1) return u <= 0 ? 0 : 1;
  return sigmoid(u);
}

// A feature with its scale, and the derivative of that.
__device__ __forceinline__ float scaled(float u, float scale) {
  if constexpr (MAP == 2) return __expf(u - scale < BOUND ? BOUND : u - scale);
  return feature(u) * scale;
}
__device__ __forceinline__ float scaledSlope(float u, float scale) {
  if constexpr (MAP == 2) return u - scale < BOUND ? 0 : __expf(u - scale);
  return slope(u) * scale;
}

// Four neighbouring channels.
__device__ __forceinline__ float4 channels(const Bits* from) {
  uint2 four = *reinterpret_cast<const uint2*>(from);
  return make_float4(low(four.x), high(four.x), low(four.y), high(four.y));
}

// Where a block's tokens begin.
struct Place {
  long long group;
  int first;

  __device__ explicit Place(int tokens) {
    int blocks = (tokens + TOKENS - 1) / TOKENS;
    group = blockIdx.x / blocks;
    first = (int)(blockIdx.x % blocks) * TOKENS;
  }
};

__device__ __forceinline__ void loadBias(float (&shift)[RANK], const Bits* bias, int head) {
  for (int a = threadIdx.x; a < RANK; a += THREADS) shift[a] = widen(bias[head * RANK + a]);
}

extern "C" __global__ void __launch_bounds__(THREADS) features(const Bits* z, const Bits* bias, const Bits* x, const float* curvature,
    Bits* out, float* scales, int tokens, int heads, long long batchStride, long long headStride, long long tokenStride) {
  __shared__ float shift[RANK];
  __shared__ float squares[BENT ? TOKENS : 1];
  Place place(tokens);
  int head = (int)(place.group % heads);
  loadBias(shift, bias, head);
  if constexpr (BENT) {
    x += place.group / heads * batchStride + head * headStride;
    for (int row = threadIdx.x / WARP; row < TOKENS && place.first + row < tokens; row += THREADS / WARP) {
      float sum = 0;
      for (int c = lane() * 4; c < WIDTH; c += WARP * 4) {
        float4 of = channels(x + (place.first + row) * tokenStride + c);
        float4 by = *reinterpret_cast<const float4*>(curvature + c);
        sum += of.x * of.x * by.x + of.y * of.y * by.y + of.z * of.z * by.z + of.w * of.w * by.w;
      }
#pragma unroll
      for (int distance = WARP / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
      if (lane() == 0) squares[row] = sum;
    }
  }
  __syncthreads();
  int token = place.first + threadIdx.x * VECTOR;
  if (token >= tokens) return;
  z += place.group * RANK * tokens + token;
  out += place.group * RANK * tokens + token;
  float scale[VECTOR] = {};
  if constexpr (KEYS) {
#pragma unroll
    for (int i = 0; i < VECTOR; i++) scale[i] = BENT ? 1 / (1 + 0.5f * squares[threadIdx.x * VECTOR + i]) : 1;
  } else if constexpr (MAP == 2) {
#pragma unroll
    for (int i = 0; i < VECTOR; i++) scale[i] = LOWEST;
#pragma unroll 8
    for (int a = 0; a < RANK; a++) {
      auto of = tokensAt(z + (long long)a * tokens);
#pragma unroll
      for (int i = 0; i < VECTOR; i++) scale[i] = fmaxf(scale[i], widen(of.of[i]) + shift[a]);
    }
  } else {
#pragma unroll 8
    for (int a = 0; a < RANK; a++) {
      auto of = tokensAt(z + (long long)a * tokens);
#pragma unroll
      for (int i = 0; i < VECTOR; i++) scale[i] += feature(widen(of.of[i]) + shift[a]);
    }
#pragma unroll
    for (int i = 0; i < VECTOR; i++) scale[i] = 1 / fmaxf(scale[i] / RANK, TINY);
  }
#pragma unroll
  for (int i = 0; i < VECTOR; i++) scales[place.group * tokens + token + i] = scale[i];
#pragma unroll 8
  for (int a = 0; a < RANK; a++) {
    auto of = tokensAt(z + (long long)a * tokens);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) of.of[i] = narrow(scaled(widen(of.of[i]) + shift[a], scale[i]));
    store(out + (long long)a * tokens, of);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) pullFeatures(const Bits* z, const Bits* bias, const float* scales, const Bits* dOut,
    Bits* dZ, float* dHalf, int tokens, int heads) {
  __shared__ float shift[RANK];
  Place place(tokens);
  loadBias(shift, bias, (int)(place.group % heads));
  __syncthreads();
  int token = place.first + threadIdx.x * VECTOR;
  if (token >= tokens) return;
  long long at = place.group * RANK * tokens + token;
  float scale[VECTOR];
  float sum[VECTOR] = {};
#pragma unroll
  for (int i = 0; i < VECTOR; i++) scale[i] = scales[place.group * tokens + token + i];
#pragma unroll 8
  for (int a = 0; a < RANK; a++, at += tokens) {
    auto of = tokensAt(z + at);
    auto given = tokensAt(dOut + at);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) {
      float u = widen(of.of[i]) + shift[a];
      float gradient = widen(given.of[i]);
      if constexpr (BENT) sum[i] += gradient * feature(u);
      of.of[i] = narrow(gradient * scaledSlope(u, scale[i]));
    }
    store(dZ + at, of);
  }
  if constexpr (BENT) {
#pragma unroll
    for (int i = 0; i < VECTOR; i++) dHalf[place.group * tokens + token + i] = -scale[i] * scale[i] * sum[i];
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) bend(const Bits* x, const float* curvature, const float* dHalf, Bits* dX, int tokens,
    int heads, long long rows, long long batchStride, long long headStride, long long tokenStride) {
  long long at = ((long long)blockIdx.x * THREADS + threadIdx.x) * 4;
  long long row = at / WIDTH;
  int channel = (int)(at % WIDTH);
  if (row >= rows) return;
  long long group = row / tokens;
  x += group / heads * batchStride + group % heads * headStride + row % tokens * tokenStride + channel;
  float4 of = channels(x);
  float4 by = *reinterpret_cast<const float4*>(curvature + channel);
  float gradient = dHalf[row];
  *reinterpret_cast<uint2*>(dX + at) = make_uint2(pack(gradient * by.x * of.x, gradient * by.y * of.y), pack(gradient * by.z * of.z, gradient * by.w * of.w));
}
