// One token of each of many states, in one pass over them: S ← decay · S + Φ(k) · columnᵀ and then out = Φ(q)ᵀ · S, for the products
// Φ[(b * LAST + c) * LEAD + a] = lead[a] · middle[b] · last[c] of untied features. The column is the token's value, and where -DCOUNTED=1 a one.
//
//   step(const Bits* q0, const Bits* q1, const Bits* q2, const Bits* k0, const Bits* k1, const Bits* k2, const Bits* values, const float* decay,
//        float* state, float* out)
//
// q0 and k0 are (G, LEAD), q1 and k1 (G, MIDDLE), q2 and k2 (G, LAST), values (G, WIDTH), all bf16; those of factors that there are none of, of one
// feature, are null. decay is (G), or null for ones; state (G, R, W) and out (G, W), W = WIDTH + COUNTED, float32.
//
// -DLEAD, -DMIDDLE, -DLAST, -DWIDTH; -DROWS of the state at a time. Launch G blocks of ROWS * W threads.
#include "tensor_cores.cu"

constexpr int COLUMNS = WIDTH + COUNTED;
constexpr int TRAILS = MIDDLE * LAST;
constexpr int R = LEAD * TRAILS;
constexpr int THREADS = ROWS * COLUMNS;

struct Features {
  float lead[LEAD];
  float trail[TRAILS];

  __device__ __forceinline__ void load(const Bits* of, const Bits* middle, const Bits* last) {
    int group = blockIdx.x;
    for (int i = threadIdx.x; i < LEAD; i += THREADS) lead[i] = widen(of[group * LEAD + i]);
    for (int i = threadIdx.x; i < TRAILS; i += THREADS) {
      float product = middle ? widen(middle[group * MIDDLE + i / LAST]) : 1;
      trail[i] = last ? product * widen(last[group * LAST + i % LAST]) : product;
    }
  }

  __device__ __forceinline__ float product(int r) const { return lead[r % LEAD] * trail[r / LEAD]; }
};

extern "C" __global__ void __launch_bounds__(THREADS) step(const Bits* q0, const Bits* q1, const Bits* q2, const Bits* k0, const Bits* k1,
    const Bits* k2, const Bits* values, const float* decay, float* state, float* out) {
  __shared__ Features query;
  __shared__ Features key;
  __shared__ float sums[ROWS][COLUMNS];
  int column = threadIdx.x % COLUMNS;
  int first = threadIdx.x / COLUMNS;
  query.load(q0, q1, q2);
  key.load(k0, k1, k2);
  float value = column < WIDTH ? widen(values[blockIdx.x * WIDTH + column]) : 1;
  float kept = decay ? decay[blockIdx.x] : 1;
  __syncthreads();
  float* held = state + (long long)blockIdx.x * R * COLUMNS + column;
  float sum = 0;
#pragma unroll 8
  for (int r = first; r < R; r += ROWS) {
    float now = held[r * COLUMNS] * kept + key.product(r) * value;
    held[r * COLUMNS] = now;
    sum += query.product(r) * now;
  }
  sums[first][column] = sum;
  __syncthreads();
  if (first > 0) return;
#pragma unroll
  for (int i = 1; i < ROWS; i++) sum += sums[i][column];
  out[blockIdx.x * COLUMNS + column] = sum;
}
