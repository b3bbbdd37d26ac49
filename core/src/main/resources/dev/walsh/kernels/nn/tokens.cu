// A row of logits, or few of its tokens: what the choice of one passes over.
//
// -DELEMENT, -DVECTOR: element.cu; -DVOCABULARY, a multiple of VECTOR; -DTOKENS; -DTHREADS.
#include "element.cu"

constexpr int CHUNKS = (TOKENS + THREADS * VECTOR - 1) / (THREADS * VECTOR);

__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }

// Integers in the order of floats.
__device__ __forceinline__ unsigned ordered(float value) {
  unsigned bits = __float_as_uint(value + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// A row, read anew in each pass: it stays in the multiprocessor's cache. Thread t has vectors t, t + THREADS and so on.
struct Row {
  const Bits* logits;
  // Null where nothing is penalised.
  const unsigned char* seen;
  float penalty;

  __device__ __forceinline__ int chunks() const { return CHUNKS; }

  template <class Value, class Combine>
  __device__ __forceinline__ Value across(Value value, Combine combine) const {
    return acrossBlock(value, combine);
  }

  // Calls with the logit and the id of a thread's tokens of a chunk: those of a thread follow one another, and so do the threads.
  template <class Visit>
  __device__ __forceinline__ void each(int chunk, Visit visit) const {
    int first = (chunk * THREADS + (int)threadIdx.x) * VECTOR;
    if (first >= TOKENS) return;
    float values[VECTOR];
    Vector::load(logits + first).widen(values);
    if (seen) {
      for (int k = 0; k < VECTOR; k++) {
        if (seen[first + k]) values[k] = values[k] > 0 ? values[k] / penalty : values[k] * penalty;
      }
    }
#pragma unroll
    for (int k = 0; k < VECTOR; k++) {
      if (first + k < TOKENS) visit(values[k], first + k);
    }
  }

  template <class Visit>
  __device__ __forceinline__ void each(Visit visit) const {
#pragma unroll 4
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
      each(chunk, visit);
    }
  }
};

// The tokens of a row from some logit on, where they are few, in shared memory.
struct Few {
  static constexpr int MOST = 2048;
  static constexpr int NOBODY = 0x7fffffff;

  float* values;
  int* ids;
  int count;

  __device__ __forceinline__ int chunks() const { return (count + THREADS - 1) / THREADS; }

  template <class Visit>
  __device__ __forceinline__ void each(int chunk, Visit visit) const {
    int i = chunk * THREADS + (int)threadIdx.x;
    if (i < count) visit(values[i], ids[i]);
  }

  template <class Visit>
  __device__ __forceinline__ void each(Visit visit) const {
    for (int i = threadIdx.x; i < count; i += THREADS) {
      visit(values[i], ids[i]);
    }
  }

  // Takes them, in the order of ids (a bitonic sort). Whether they are few enough is known only afterwards.
  __device__ __forceinline__ void gather(const Row& row, unsigned least) {
    __shared__ int found;
    if (threadIdx.x == 0) found = 0;
    __syncthreads();
    row.each([&](float value, int id) {
      if (ordered(value) < least) return;
      int slot = atomicAdd(&found, 1);
      if (slot < MOST) {
        values[slot] = value;
        ids[slot] = id;
      }
    });
    __syncthreads();
    count = found;
    if (!fit()) return;
    int padded = 1;
    while (padded < count) {
      padded *= 2;
    }
    for (int i = count + (int)threadIdx.x; i < padded; i += THREADS) {
      ids[i] = NOBODY;
    }
    for (int length = 2; length <= padded; length *= 2) {
      for (int distance = length / 2; distance > 0; distance /= 2) {
        __syncthreads();
        for (int pair = threadIdx.x; pair < padded / 2; pair += THREADS) {
          int low = pair / distance * 2 * distance + pair % distance;
          int high = low + distance;
          bool ascends = (low & length) == 0;
          if ((ids[low] > ids[high]) == ascends) {
            int id = ids[low];
            ids[low] = ids[high];
            ids[high] = id;
            float value = values[low];
            values[low] = values[high];
            values[high] = value;
          }
        }
      }
    }
    __syncthreads();
  }

  __device__ __forceinline__ bool fit() const { return count <= MOST; }
};

// The same as one warp passes over them, without a barrier.
struct FewOfWarp {
  const float* values;
  int count;

  template <class Visit>
  __device__ __forceinline__ void each(Visit visit) const {
    for (int i = threadIdx.x % 32; i < count; i += 32) {
      visit(values[i], i);
    }
  }

  template <class Value, class Combine>
  __device__ __forceinline__ Value across(Value value, Combine combine) const {
    return acrossWarp(value, combine);
  }
};
