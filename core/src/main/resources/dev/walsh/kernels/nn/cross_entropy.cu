// Cross-entropy of rows of logits, (rows, VOCABULARY) contiguous, with float arithmetic; the gradient takes the place of the logits.
//
//   cross_entropy(Element* logits, const long long* targets, float* losses, long long rows, float weight)
//   cross_entropy_scale(Element* values, long long count, const float* factor)
//
// losses[row] = log(sum(exp(logits))) - logits[target], in nats, and logits <- weight * (softmax(logits) - onehot(target)). A target outside
// of the vocabulary makes the loss and the gradients of its row NaN. A row that fits in the registers of a block crosses memory once in each
// direction (4 bytes an element of 2); a longer one is read three times, mostly from the second-level cache.
//
// cross_entropy_scale multiplies by a factor that the device alone knows; for a factor of 1 it touches nothing.
//
// -DELEMENT, -DVECTOR (element.cu; VECTOR divides VOCABULARY), -DVOCABULARY, and
//   -DTHREADS  threads a block: VOCABULARY / VECTOR / CHUNKS rounded up to a multiple of 32, CHUNKS being the least that keeps it to 1024
// Launch at most `rows` blocks of cross_entropy, and 2048 / THREADS a multiprocessor, since each goes on to further rows, and any number of
// blocks of cross_entropy_scale, without dynamic shared memory. For no rows the host launches nothing.
#include "element.cu"

constexpr int VECTORS = VOCABULARY / VECTOR;
constexpr int CHUNKS = (VECTORS + THREADS - 1) / THREADS;
constexpr int WARPS = THREADS / 32;
constexpr int REGISTERS = CHUNKS * (sizeof(Vector) < 4 ? 1 : (int)sizeof(Vector) / 4);
constexpr bool KEPT = REGISTERS <= 32;
constexpr float LOG2_E = 1.4426950408889634f;
constexpr float LN_2 = 0.6931471805599453f;
// Loses against every logit of sense, and is far enough from the end of the range to be subtracted.
constexpr float NOTHING = -1e38f;

__device__ __forceinline__ float power2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// The number sum * 2^top: a sum of exponentials that does not overflow.
struct Mass {
  float top;
  float sum;

  __device__ __forceinline__ void add(float otherTop, float otherSum) {
    float higher = fmaxf(top, otherTop);
    sum = sum * power2(top - higher) + otherSum * power2(otherTop - higher);
    top = higher;
  }

  // Adds the masses of the other lanes of the warp.
  __device__ __forceinline__ void gather() {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
      add(__shfl_xor_sync(0xffffffffu, top, step), __shfl_xor_sync(0xffffffffu, sum, step));
    }
  }
};

// A block's row of logits, spread over its threads: CHUNKS vectors each, THREADS vectors apart.
struct Row {
  Bits* memory;
  Vector kept[KEPT ? CHUNKS : 1];

  static __device__ __forceinline__ bool has(int c) { return VECTORS % THREADS == 0 || (int)threadIdx.x + c * THREADS < VECTORS; }

  static __device__ __forceinline__ int column(int c) { return ((int)threadIdx.x + c * THREADS) * VECTOR; }

  __device__ __forceinline__ explicit Row(Bits* memory) : memory(memory) {
    if constexpr (KEPT) {
#pragma unroll
      for (int c = 0; c < CHUNKS; c++) {
        kept[c] = has(c) ? Vector::load(memory + column(c)) : Vector::zero();
      }
    }
  }

  // Calls body(column, values) for each of the thread's vectors.
  template <class Body>
  __device__ __forceinline__ void each(Body body) const {
#pragma unroll KEPT ? CHUNKS : 4
    for (int c = 0; c < CHUNKS; c++) {
      if (has(c)) {
        float values[VECTOR];
        if constexpr (KEPT) {
          kept[c].widen(values);
        } else {
          Vector::load(memory + column(c)).widen(values);
        }
        body(column(c), values);
      }
    }
  }
};

extern "C" __global__ void __launch_bounds__(THREADS, 1) cross_entropy(Bits* logits, const long long* targets, float* losses,
    long long rows, float weight) {
  // Two, since a warp may be at its next row while another still reads.
  __shared__ Mass masses[2][32];
  int lane = threadIdx.x % 32;
  int turn = 0;
  for (long long index = blockIdx.x; index < rows; index += gridDim.x, turn ^= 1) {
    Row row(logits + index * VOCABULARY);
    long long target = targets[index];
    bool known = target >= 0 && target < VOCABULARY;
    // The thread that will write over the target's logit is the one that may still read it.
    bool owner = known ? (int)target / VECTOR % THREADS == (int)threadIdx.x : threadIdx.x == 0;
    float aimed = owner && known ? ELEMENT::widen(row.memory[target]) : 0;

    float highest = NOTHING;
    row.each([&](int, const float* values) {
#pragma unroll
      for (int i = 0; i < VECTOR; i++) {
        highest = fmaxf(highest, values[i]);
      }
    });
    Mass mass{highest * LOG2_E, 0};
    row.each([&](int, const float* values) {
#pragma unroll
      for (int i = 0; i < VECTOR; i++) {
        mass.sum += power2(values[i] * LOG2_E - mass.top);
      }
    });
    mass.gather();
    if (lane == 0) {
      masses[turn][threadIdx.x / 32] = mass;
    }
    __syncthreads();
    mass = lane < WARPS ? masses[turn][lane] : Mass{NOTHING, 0};
    mass.gather();
    // Lanes add in different orders.
    mass.top = __shfl_sync(0xffffffffu, mass.top, 0);
    mass.sum = __shfl_sync(0xffffffffu, mass.sum, 0);

    float share = known ? weight / mass.sum : __uint_as_float(0x7fffffffu);
    row.each([&](int column, const float* values) {
      float gradient[VECTOR];
#pragma unroll
      for (int i = 0; i < VECTOR; i++) {
        gradient[i] = power2(values[i] * LOG2_E - mass.top) * share;
      }
      Vector::narrow(gradient).store(row.memory + column);
    });
    if (owner) {
      losses[index] = known ? (mass.top + log2f(mass.sum)) * LN_2 - aimed : share;
      if (known) {
        row.memory[target] = ELEMENT::narrow(power2(aimed * LOG2_E - mass.top) * share - weight);
      }
    }
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy_scale(Bits* values, long long count, const float* factor) {
  float by = *factor;
  if (by == 1) {
    return;
  }
  long long step = (long long)gridDim.x * THREADS;
  long long vectors = count / VECTOR;
  for (long long v = (long long)blockIdx.x * THREADS + threadIdx.x; v < vectors; v += step) {
    float held[VECTOR];
    Vector::load(values + v * VECTOR).widen(held);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) {
      held[i] *= by;
    }
    Vector::narrow(held).store(values + v * VECTOR);
  }
  for (long long i = vectors * VECTOR + (long long)blockIdx.x * THREADS + threadIdx.x; i < count; i += step) {
    values[i] = ELEMENT::narrow(ELEMENT::widen(values[i]) * by);
  }
}
