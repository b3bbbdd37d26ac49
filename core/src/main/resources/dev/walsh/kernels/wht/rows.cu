// What a block of a join has in hand: ROWS rows of width d at a time, spread over THREADS threads that each own the same columns of every
// row, and the sums over a row. Every join kernel is compiled with the defines that follow.
//
// -DELEMENT, -DVECTOR (element.cu), the matrix (hadamard.cu): full is CHANNELS=1, folded H_heads (x) I is CHANNELS=d/heads, and a matrix of
// order 1 with CHANNELS=d is the plain x' = x + alpha * y + beta. -DALPHA=0 or -DBETA=0 leaves that weight out: its pointer is not read.
//   -DTHREADS       threads a block: d / VECTOR / CHUNKS rounded up to a multiple of 32, CHUNKS being the least that keeps it to 512
//   -DROWS          2 where the launch has one block a multiprocessor and sharedBytes stays within the limit, else 1
//   -DSHARED_LIMIT  the most dynamic shared memory of a block of this GPU, in bytes; rows are fetched ahead where that suffices
// Launch at most ceil(rows / ROWS) blocks, and no more than a few a multiprocessor, since each goes on to further rows and few rows in
// flight keep DRAM fastest: 512 / THREADS of them forward and 384 / THREADS backward, rounded to the nearest (halves down), at least 1.
// The module's global int sharedBytes states the dynamic shared memory; where that exceeds the limit with ROWS=1 too, the GPU cannot hold
// rows so wide.
#include "element.cu"
#include "hadamard.cu"

constexpr int DONE = registerBits(VECTOR);
constexpr Plan PLAN = Plan::of(DONE);
using Shared = Layout<DONE>;
constexpr bool MIXED = ORDER > 1;
constexpr int POINTS = ROWS * WIDTH;
constexpr int VECTORS = WIDTH / VECTOR;
constexpr int CHUNKS = (VECTORS + THREADS - 1) / THREADS;
constexpr int OWNED = CHUNKS * VECTOR;
constexpr int WARPS = THREADS / 32;
constexpr int WARPS_UP = (WARPS + 3) / 4 * 4;
constexpr int EXCHANGED = PLAN.count == 0 ? 0 : (Shared::at(POINTS) + 3) / 4 * 4;

// What a thread owns of a row: CHUNKS vectors, THREADS vectors apart.
struct Owned {
  static __device__ __forceinline__ bool has(int c) { return VECTORS % THREADS == 0 || (int)threadIdx.x + c * THREADS < VECTORS; }

  static __device__ __forceinline__ int column(int c) { return ((int)threadIdx.x + c * THREADS) * VECTOR; }

  // Narrows the values, stores them where the row exists, and leaves in `values` what was stored.
  static __device__ __forceinline__ void store(float* values, Bits* matrix, long long row, long long rows) {
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
      Vector stored = Vector::narrow(values + c * VECTOR);
      if (has(c) && row < rows) {
        stored.store(matrix + row * WIDTH + column(c));
      }
      stored.widen(values + c * VECTOR);
    }
  }
};

// Room in shared memory for the ROWS rows in hand of each of N matrices and, if it suffices, for the next. A thread sees its own columns
// only, so that no barrier is needed, and keeps no registers for rows on their way. SUMS is the number of sums over the block that a row
// needs.
template <int N, int SUMS>
struct Stage {
  static constexpr int START = EXCHANGED + SUMS * ROWS * WARPS_UP;
  static constexpr int BUFFER_BYTES = N * ROWS * CHUNKS * THREADS * (int)sizeof(Vector);
  static constexpr int BUFFERS = 4 * START + 2 * BUFFER_BYTES <= SHARED_LIMIT ? 2 : 1;
  static constexpr int SHARED_BYTES = 4 * START + BUFFERS * BUFFER_BYTES;

  Vector* slots;

  __device__ __forceinline__ explicit Stage(float* shared) : slots(reinterpret_cast<Vector*>(shared + START) + threadIdx.x) {}

  __device__ __forceinline__ Vector* slot(int buffer, int matrix, int r, int c) const {
    return slots + (((buffer * N + matrix) * ROWS + r) * CHUNKS + c) * THREADS;
  }

  // A row past the end is zero, and so is every row of a null matrix.
  __device__ __forceinline__ void fetch(int buffer, int matrix, const Bits* from, long long row, long long rows) const {
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
      for (int c = 0; c < CHUNKS; c++) {
        bool present = Owned::has(c) && row + r < rows && from;
        Vector::fetch(slot(buffer, matrix, r, c), from + (row + r) * WIDTH + Owned::column(c), present);
      }
    }
  }

  // Calls fetch(buffer, row) ahead of the loop over rows.
  template <class Fetch>
  __device__ __forceinline__ void begin(Fetch fetch, long long row) const {
    if constexpr (BUFFERS == 2) {
      fetch(0, row);
      commit();
    }
  }

  // The buffer that holds the rows in hand; the next are on their way meanwhile, where there is room. `turn` counts the loop's rounds.
  template <class Fetch>
  __device__ __forceinline__ int advance(Fetch fetch, int turn, long long row, long long step) const {
    if constexpr (BUFFERS == 2) {
      fetch(turn + 1 & 1, row + step);
      commit();
      settle<1>();
      return turn & 1;
    }
    fetch(0, row);
    commit();
    settle<0>();
    return 0;
  }

  __device__ __forceinline__ void read(int buffer, int matrix, int r, float* values) const {
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
      slot(buffer, matrix, r, c)->widen(values + c * VECTOR);
    }
  }
};

__device__ __forceinline__ void loadWeights(const Bits* weights, float (&owned)[OWNED], float scale) {
#pragma unroll
  for (int i = 0; i < OWNED; i++) {
    owned[i] = Owned::has(i / VECTOR) ? ELEMENT::widen(weights[Owned::column(i / VECTOR) + i % VECTOR]) * scale : 0;
  }
}

template <int AT, bool TRANSPOSED>
__device__ __forceinline__ void passes(float* shared) {
  if constexpr (AT < PLAN.count) {
    constexpr Pass PASS = PLAN.pass[AT];
    constexpr int RADIX = PASS.radix();
    constexpr int STRIDE = PASS.stride;
#pragma unroll 1
    for (int tile = threadIdx.x; tile < POINTS / RADIX; tile += THREADS) {
      float* at = shared + Shared::at(tile % STRIDE + tile / STRIDE * (STRIDE * RADIX));
      float v[RADIX];
#pragma unroll
      for (int i = 0; i < RADIX; i++) {
        v[i] = at[Shared::at(i * STRIDE)];
      }
      mixTile<PASS.core, PASS.log2, TRANSPOSED>(v);
#pragma unroll
      for (int i = 0; i < RADIX; i++) {
        at[Shared::at(i * STRIDE)] = v[i];
      }
    }
    __syncthreads();
    passes<AT + 1, TRANSPOSED>(shared);
  }
}

// values <- values * H (or H transposed), unnormalised, for the ROWS rows in hand. A thread touches no shared memory but its own columns
// before the first barrier and after the last, so that calls need no barrier between them.
template <bool TRANSPOSED>
__device__ __forceinline__ void mix(float (&values)[ROWS][OWNED], float* shared) {
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    mixBits<OWNED, DONE>(values[r]);
  }
  if constexpr (PLAN.count > 0) {
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
      for (int i = 0; i < OWNED; i++) {
        if (Owned::has(i / VECTOR)) {
          shared[Shared::at(r * WIDTH + Owned::column(i / VECTOR)) + i % VECTOR] = values[r][i];
        }
      }
    }
    __syncthreads();
    passes<0, TRANSPOSED>(shared);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
      for (int i = 0; i < OWNED; i++) {
        if (Owned::has(i / VECTOR)) {
          values[r][i] = shared[Shared::at(r * WIDTH + Owned::column(i / VECTOR)) + i % VECTOR];
        }
      }
    }
  }
}

// Sums over the block, first half: a warp's sums go to shared memory; a barrier must follow before totals().
template <int N>
__device__ __forceinline__ void offer(float (&sums)[N], float* shared) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
#pragma unroll
    for (int i = 0; i < N; i++) {
      sums[i] += __shfl_xor_sync(0xffffffffu, sums[i], step);
    }
  }
  if (threadIdx.x % 32 == 0) {
#pragma unroll
    for (int i = 0; i < N; i++) {
      shared[i * WARPS_UP + threadIdx.x / 32] = sums[i];
    }
  }
}

template <int N>
__device__ __forceinline__ void totals(float (&sums)[N], const float* shared) {
#pragma unroll
  for (int i = 0; i < N; i++) {
    sums[i] = 0;
#pragma unroll
    for (int w = 0; w < WARPS; w++) {
      sums[i] += shared[i * WARPS_UP + w];
    }
  }
}
