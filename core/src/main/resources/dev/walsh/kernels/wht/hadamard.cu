// The matrix H = P_a (x) S_(2^k) (x) P_b (x) S_(2^l) (x) I_c (Kronecker products, outermost first) applied to rows that a block holds as
// floats in shared memory: P is Paley's core of that order, S Sylvester's matrix, I the identity. Values are unnormalised; ORTHONORMAL
// mends that.
//
// -DCORE_A, -DLOG2_A, -DCORE_B, -DLOG2_B, -DCHANNELS give a, k, b, l, c; an absent core has order 1. Beyond order
// 84 a core does not fit a thread's registers.
//
// A Kronecker product is a sequence of passes, each mixing the points of one run of factors. The lowest bits of the index are mixed in
// registers as a row is loaded; every further pass reads tiles of `radix` points `stride` apart, mixes them and writes them back.

__host__ __device__ constexpr int log2Floor(int n) { return n < 2 ? 0 : 1 + log2Floor(n / 2); }

constexpr int INNER_CORE = CORE_B > 1 ? CORE_B : CORE_A;
constexpr int INNER_LOG2 = CORE_B > 1 ? LOG2_B : LOG2_A + LOG2_B;
constexpr int OUTER_CORE = CORE_B > 1 ? CORE_A : 1;
constexpr int OUTER_LOG2 = CORE_B > 1 ? LOG2_A : 0;
constexpr int ORDER = (INNER_CORE << INNER_LOG2) * (OUTER_CORE << OUTER_LOG2);
constexpr int WIDTH = ORDER * CHANNELS;

__host__ __device__ constexpr float inverseRoot(int n) {
  double root = n;
  for (int i = 0; i < 40; i++) {
    root = (root + n / root) / 2;
  }
  return (float)(1 / root);
}

// The most points that a thread mixes at once; a core of a greater order is still mixed whole.
constexpr int TILE = 32;

// What makes H orthonormal: 1 / sqrt(order).
constexpr float ORTHONORMAL = inverseRoot(ORDER);

// One pass: core (x) S_(2^log2), the points being `stride` elements apart.
struct Pass {
  int stride = 1;
  int core = 1;
  int log2 = 0;
  __host__ __device__ constexpr int radix() const { return core << log2; }
};

struct Plan {
  int count = 0;
  Pass pass[16];

  __host__ __device__ constexpr void add(int stride, int core, int log2) {
    pass[count].stride = stride;
    pass[count].core = core;
    pass[count].log2 = log2;
    count++;
  }

  // Adds the passes of core (x) S_(2^log2): as few as TILE allows, of radices as equal as can be. The core's pass takes `joined` of the
  // bits.
  __host__ __device__ constexpr void addFactor(int stride, int core, int log2) {
    int limit = log2Floor(TILE);
    int best = 0;
    int bestCost = 1 << 30;
    for (int joined = 0; joined <= log2 && (joined == 0 || (core > 1 && core << joined <= TILE)); joined++) {
      int groups = (log2 - joined + limit - 1) / limit;
      int widest = groups == 0 ? 0 : (log2 - joined + groups - 1) / groups;
      int largest = core << joined > 1 << widest ? core << joined : 1 << widest;
      if ((groups << 16) + largest < bestCost) {
        bestCost = (groups << 16) + largest;
        best = joined;
      }
    }
    int bits = log2 - best;
    for (int groups = (bits + limit - 1) / limit; groups > 0; groups--) {
      int taken = (bits + groups - 1) / groups;
      add(stride, 1, taken);
      stride <<= taken;
      bits -= taken;
    }
    if (core > 1) {
      add(stride, core, best);
    }
  }

  // The passes that are left once `done` bits were mixed in registers, innermost first.
  static __host__ __device__ constexpr Plan of(int done) {
    Plan plan;
    plan.addFactor(CHANNELS << done, INNER_CORE, INNER_LOG2 - done);
    plan.addFactor(CHANNELS * (INNER_CORE << INNER_LOG2), OUTER_CORE, OUTER_LOG2);
    return plan;
  }
};

// The bits of an index within a run of `length` neighbouring elements that can be mixed in registers.
__host__ __device__ constexpr int registerBits(int length) {
  int bits = log2Floor(length);
  return CHANNELS > 1 ? 0 : bits < INNER_LOG2 ? bits : INNER_LOG2;
}

// Where elements lie in shared memory: four floats of padding after every 32 keep the vector accesses of neighbouring threads off each
// other's banks, and SKEW more after every tile of the first pass do so for its scalar accesses. Offsets add up over the digits of an
// index, so that those within a tile are constants; where a shape would break that, there is no padding.
template <int DONE>
struct Layout {
  static constexpr Plan PLAN = Plan::of(DONE);
  static constexpr int STRIDE = PLAN.pass[0].stride;
  static constexpr int BLOCK = PLAN.count == 0 ? 32 : STRIDE * PLAN.pass[0].radix();
  static constexpr bool PADDED = BLOCK % 32 == 0 && (32 % STRIDE == 0 || STRIDE % 32 == 0);

  static __host__ __device__ constexpr int skew() {
    int skew = 0;
    while (STRIDE < 32 && STRIDE % 4 == 0 && (BLOCK / 32 * 36 + skew) % 32 != STRIDE) {
      skew += 4;
    }
    return skew;
  }

  static constexpr int SKEW = skew();

  static __host__ __device__ constexpr int at(int i) { return PADDED ? i + i / 32 * 4 + i / BLOCK * SKEW : i; }
};

// The squares modulo q, as a set of bits.
struct Squares {
  unsigned long long word[2] = {};

  __host__ __device__ constexpr Squares(int q) {
    for (int x = 1; x < q; x++) {
      word[x * x % q / 64] |= 1ull << x * x % q % 64;
    }
  }

  __host__ __device__ constexpr bool has(int n) const { return word[n / 64] >> n % 64 & 1; }
};

__host__ __device__ constexpr bool isPrime(int n) {
  for (int f = 2; f * f <= n; f++) {
    if (n % f == 0) {
      return false;
    }
  }
  return n > 1;
}

// Whether the entry (i, j) of Paley's core of order m is -1; the first construction where m - 1 is a prime, else the second.
template <int M>
__host__ __device__ constexpr bool isNegative(int i, int j) {
  constexpr bool FIRST = isPrime(M - 1);
  constexpr int Q = FIRST ? M - 1 : M / 2 - 1;
  constexpr Squares SQUARES(Q);
  if (FIRST) {
    return i == 0 || i == j ? false : j == 0 ? true : !SQUARES.has((j - i + Q) % Q);
  }
  int hi = i / 2;
  int hj = j / 2;
  int ones = i % 2 + j % 2;
  return hi == hj ? ones != 0 : (ones == 2) != (hi != 0 && hj != 0 && !SQUARES.has((hj - hi + Q) % Q));
}

// v <- v * P (or P transposed) for M values `STEP` apart. The inputs go in fours: their eight sums up to sign cost 12 additions, and
// every output takes one of them, so a core costs 2 + M / 4 additions a value instead of M - 1.
template <int M, int STEP, bool TRANSPOSED>
__device__ __forceinline__ void mixCore(float* v) {
  float sum[M];
#pragma unroll
  for (int i = 0; i < M; i += 4) {
    float a = v[i * STEP], b = v[(i + 1) * STEP], c = v[(i + 2) * STEP], d = v[(i + 3) * STEP];
    float left[2] = {a + b, a - b};
    float right[2] = {c + d, c - d};
    float both[2][2][2];
#pragma unroll
    for (int l = 0; l < 2; l++) {
#pragma unroll
      for (int r = 0; r < 2; r++) {
        both[l][r][0] = left[l] + right[r];
        both[l][r][1] = left[l] - right[r];
      }
    }
#pragma unroll
    for (int j = 0; j < M; j++) {
      bool s0 = TRANSPOSED ? isNegative<M>(j, i) : isNegative<M>(i, j);
      bool s1 = TRANSPOSED ? isNegative<M>(j, i + 1) : isNegative<M>(i + 1, j);
      bool s2 = TRANSPOSED ? isNegative<M>(j, i + 2) : isNegative<M>(i + 2, j);
      bool s3 = TRANSPOSED ? isNegative<M>(j, i + 3) : isNegative<M>(i + 3, j);
      float part = both[s0 != s1][s2 != s3][s0 != s2];
      part = s0 ? -part : part;
      sum[j] = i == 0 ? part : sum[j] + part;
    }
  }
#pragma unroll
  for (int j = 0; j < M; j++) {
    v[j * STEP] = sum[j];
  }
}

// v <- v * S_(2^LOG2) for every 2^LOG2 neighbours among N values.
template <int N, int LOG2>
__device__ __forceinline__ void mixBits(float* v) {
#pragma unroll
  for (int bit = 0; bit < LOG2; bit++) {
#pragma unroll
    for (int i = 0; i < N; i++) {
      if (!(i >> bit & 1)) {
        float a = v[i];
        float b = v[i | 1 << bit];
        v[i] = a + b;
        v[i | 1 << bit] = a - b;
      }
    }
  }
}

// v <- v * (core (x) S_(2^log2)) for a pass's radix of values.
template <int CORE, int LOG2, bool TRANSPOSED>
__device__ __forceinline__ void mixTile(float* v) {
  mixBits<(CORE << LOG2), LOG2>(v);
  if constexpr (CORE > 1) {
#pragma unroll
    for (int k = 0; k < 1 << LOG2; k++) {
      mixCore<CORE, (1 << LOG2), TRANSPOSED>(v + k);
    }
  }
}
