// Rotary position embedding of queries and keys that lie packed with the values, and its gradient: channel i of a head turns together with
// channel i + D/2, by the angle of its position. One pass over memory, float arithmetic, rounded once.
//
//   rope_forward(Element* packed, const float* cosine, const float* sine, long long heads, int length)
//   rope_backward(const Element* dq, const Element* dk, const Element* dv, long long qStride, long long kStride, long long vStride,
//                 Element* dPacked, const float* cosine, const float* sine, long long heads, int length)
//   rope_append(Element* packed, const float* cosine, const float* sine, long long heads, const long long* positions,
//               const long long* slots, Element* keys, Element* values)
//
// packed and dPacked are (B*T, 3, H, D), contiguous; forward works in place and leaves the values alone. dq, dk and dv are (B*T, H, D) with
// so many elements between tokens; a null one is zero. cosine and sine are (at least length, D/2); heads = B*T*H; length = T.
// rope_append is rope_forward of tokens that lie anywhere in their sequences, and writes the turned keys and the values into rows of caches
// as well: positions and slots are (B*T), keys and values (slots of the cache, H, D).
//
// -DELEMENT, -DVECTOR: element.cu; -DHEADS=H; -DHALF=D/2, a multiple of VECTOR; -DBLOCK_HEADS, the heads of a block. Launch
// ceil(heads / BLOCK_HEADS) blocks of BLOCK_HEADS * D / VECTOR threads: a thread owns one vector of a head's query, key and value, so that
// a warp reads and writes whole lines, and finds the vector that its own turns with in shared memory.
#include "element.cu"

constexpr int HALF_VECTORS = HALF / VECTOR;
constexpr int HEAD_VECTORS = 2 * HALF_VECTORS;
constexpr int THREADS = BLOCK_HEADS * HEAD_VECTORS;
constexpr int WIDTH = HEADS * 2 * HALF;

__device__ __forceinline__ void loadFloats(const float* from, float (&values)[VECTOR]) {
  constexpr int PIECE = VECTOR < 4 ? VECTOR : 4;
  struct alignas(4 * PIECE) Piece {
    float at[PIECE];
  };
#pragma unroll
  for (int i = 0; i < VECTOR; i += PIECE) {
    Piece piece = *reinterpret_cast<const Piece*>(from + i);
#pragma unroll
    for (int k = 0; k < PIECE; k++) {
      values[i + k] = piece.at[k];
    }
  }
}

// What one thread owns: a vector of one head of one token.
struct Owned {
  long long token;
  int column;
  int half;
  int partner;
  bool present;

  __device__ __forceinline__ explicit Owned(long long heads) {
    int within = threadIdx.x % HEAD_VECTORS;
    long long head = (long long)blockIdx.x * BLOCK_HEADS + threadIdx.x / HEAD_VECTORS;
    present = head < heads;
    token = head / HEADS;
    column = (int)(head - token * HEADS) * (2 * HALF) + within * VECTOR;
    half = within % HALF_VECTORS * VECTOR;
    partner = within < HALF_VECTORS ? (int)threadIdx.x + HALF_VECTORS : (int)threadIdx.x - HALF_VECTORS;
  }

  // Turns a query and a key, by the angle of the token's position or, with direction -1, back.
  __device__ __forceinline__ void rotate(Vector& query, Vector& key, const float* cosine, const float* sine, int position,
      float direction) const {
    __shared__ Vector exchanged[2][THREADS];
    exchanged[0][threadIdx.x] = query;
    exchanged[1][threadIdx.x] = key;
    float c[VECTOR];
    float s[VECTOR];
    if (present) {
      long long at = (long long)position * HALF + half;
      loadFloats(cosine + at, c);
      loadFloats(sine + at, s);
    }
    __syncthreads();
    float sign = partner < (int)threadIdx.x ? direction : -direction;
    turn(query, exchanged[0][partner], c, s, sign);
    turn(key, exchanged[1][partner], c, s, sign);
  }

  static __device__ __forceinline__ void turn(Vector& own, const Vector& other, const float (&c)[VECTOR], const float (&s)[VECTOR],
      float sign) {
    float a[VECTOR];
    float b[VECTOR];
    own.widen(a);
    other.widen(b);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) {
      a[i] = a[i] * c[i] + b[i] * (sign * s[i]);
    }
    own = Vector::narrow(a);
  }
};

extern "C" __global__ void __launch_bounds__(THREADS) rope_forward(Bits* packed, const float* cosine, const float* sine, long long heads,
    int length) {
  Owned owned(heads);
  Bits* row = packed + owned.token * (3 * WIDTH) + owned.column;
  Vector query = owned.present ? Vector::load(row) : Vector::zero();
  Vector key = owned.present ? Vector::load(row + WIDTH) : Vector::zero();
  owned.rotate(query, key, cosine, sine, (int)owned.token % length, 1);
  if (owned.present) {
    query.store(row);
    key.store(row + WIDTH);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) rope_backward(const Bits* dq, const Bits* dk, const Bits* dv, long long qStride,
    long long kStride, long long vStride, Bits* dPacked, const float* cosine, const float* sine, long long heads, int length) {
  Owned owned(heads);
  auto gradient = [&](const Bits* from, long long stride) {
    return owned.present && from ? Vector::load(from + owned.token * stride + owned.column) : Vector::zero();
  };
  Vector query = gradient(dq, qStride);
  Vector key = gradient(dk, kStride);
  Vector value = gradient(dv, vStride);
  owned.rotate(query, key, cosine, sine, (int)owned.token % length, -1);
  if (owned.present) {
    Bits* row = dPacked + owned.token * (3 * WIDTH) + owned.column;
    query.store(row);
    key.store(row + WIDTH);
    value.store(row + 2 * WIDTH);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) rope_append(Bits* packed, const float* cosine, const float* sine, long long heads,
    const long long* positions, const long long* slots, Bits* keys, Bits* values) {
  Owned owned(heads);
  Bits* row = packed + owned.token * (3 * WIDTH) + owned.column;
  Vector query = owned.present ? Vector::load(row) : Vector::zero();
  Vector key = owned.present ? Vector::load(row + WIDTH) : Vector::zero();
  owned.rotate(query, key, cosine, sine, owned.present ? (int)positions[owned.token] : 0, 1);
  if (owned.present) {
    long long slot = slots[owned.token] * WIDTH + owned.column;
    query.store(row);
    key.store(row + WIDTH);
    key.store(keys + slot);
    Vector::load(row + 2 * WIDTH).store(values + slot);
  }
}
