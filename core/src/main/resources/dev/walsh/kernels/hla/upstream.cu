// The gradient of sums from that of what they were divided to: with out = sum / weight,
//
//   dSum[n, :] = dOut[n, :] / weight[n]        dWeight[n] = -dSum[n, :] · out[n, :]
//
// and zeros where a row has no weight. dWeight is of dSum as it was rounded: both meet in differences, where their errors must be the same.
//
//   upstream(const Bits* dOut, const Bits* out, const float* weights, Bits* dSums, float* dWeights, int rows, int tokens, int heads,
//            long long dBatch, long long dHead, long long dToken, long long batch, long long head, long long token)
//
// dOut and out are (B, heads, tokens, WIDTH), each by its strides, in elements, multiples of 4; rows = B * heads * tokens, and the other tensors have them
// one behind another.
// -DWIDTH, a multiple of 16, elements in a row, bf16; -DTHREADS. A warp has a row. Launch ceil(rows * 32 / THREADS) blocks.
#include "tensor_cores.cu"

extern "C" __global__ void __launch_bounds__(THREADS) upstream(const Bits* dOut, const Bits* out, const float* weights, Bits* dSums,
    float* dWeights, int rows, int tokens, int heads, long long dBatch, long long dHead, long long dToken, long long batch, long long head,
    long long token) {
  int row = (int)(blockIdx.x * (THREADS / WARP) + threadIdx.x / WARP);
  if (row >= rows) return;
  int group = row / tokens;
  int sequence = group / heads;
  dOut += sequence * dBatch + group % heads * dHead + row % tokens * dToken;
  out += sequence * batch + group % heads * head + row % tokens * token;
  dSums += (long long)row * WIDTH;
  float weight = weights[row];
  float scale = weight > 0 ? 1 / weight : 0;
  float sum = 0;
#pragma unroll
  for (int i = lane() * 4; i < WIDTH; i += WARP * 4) {
    uint2 given = *reinterpret_cast<const uint2*>(dOut + i);
    uint2 made = *reinterpret_cast<const uint2*>(out + i);
    given = make_uint2(pack(low(given.x) * scale, high(given.x) * scale), pack(low(given.y) * scale, high(given.y) * scale));
    *reinterpret_cast<uint2*>(dSums + i) = given;
    sum += low(given.x) * low(made.x) + high(given.x) * high(made.x) + low(given.y) * low(made.y) + high(given.y) * high(made.y);
  }
#pragma unroll
  for (int distance = WARP / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
  if (lane() == 0) dWeights[row] = -sum;
}
