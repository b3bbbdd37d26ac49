// Reductions over a block, in one order.
//
// -DTHREADS, a multiple of 32.
constexpr int WARPS = THREADS / 32;
constexpr unsigned ALL = 0xffffffffu;

template <class Value>
__device__ __forceinline__ Value fromLane(Value value, int distance) {
  constexpr int WORDS = sizeof(Value) / 4;
  union {
    Value value;
    unsigned words[WORDS];
  } moved = {value};
#pragma unroll
  for (int i = 0; i < WORDS; i++) {
    moved.words[i] = __shfl_xor_sync(ALL, moved.words[i], distance);
  }
  return moved.value;
}

template <class Value, class Combine>
__device__ __forceinline__ Value acrossWarp(Value value, Combine combine) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value = combine(value, fromLane(value, distance));
  }
  return value;
}

// The same in all threads.
template <class Value, class Combine>
__device__ __forceinline__ Value acrossBlock(Value value, Combine combine) {
  __shared__ Value perWarp[WARPS];
  value = acrossWarp(value, combine);
  __syncthreads();
  if (threadIdx.x % 32 == 0) perWarp[threadIdx.x / 32] = value;
  __syncthreads();
  Value all = perWarp[0];
#pragma unroll 8
  for (int i = 1; i < WARPS; i++) {
    all = combine(all, perWarp[i]);
  }
  return all;
}

struct Sum {
  template <class Value>
  __device__ __forceinline__ Value operator()(Value a, Value b) const {
    return a + b;
  }
};

struct Least {
  __device__ __forceinline__ unsigned long long operator()(unsigned long long a, unsigned long long b) const { return a < b ? a : b; }
};
