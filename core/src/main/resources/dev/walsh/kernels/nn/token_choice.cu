// The choice of each row's next token from its logits: repetition penalty, temperature, top-k, top-p, and a random number that is a function of
// the row's key and position alone. One block a row; nothing is sorted.
//
//   token_choice(const Element* logits, const long long* rules, int stride, const long long* positions, unsigned char* seen,
//                long long* ids, long long* made)
//
// logits are (B, VOCABULARY), of which the first TOKENS columns stand for tokens. rules are (5, stride): key, top-k (0 for all), then the bits
// of doubles: temperature (0 takes the likeliest), top-p, penalty (1 for none). seen is (B, VOCABULARY): 1 for tokens that are penalised,
// read and written only where there is a penalty. ids gets the token chosen and made as well; where the logits are not finite, 0 and -1.
//
// Among equals none is preferred: a token as likely as the least that top-k or top-p lets in is let in too. TokenChoice.java says the rest.
//
// -DELEMENT, -DVECTOR: element.cu; -DVOCABULARY, a multiple of VECTOR; -DTOKENS; -DTHREADS, a multiple of 32. Launch B blocks of THREADS.
#include "element.cu"
#include "chain.cu"

constexpr int CHUNKS = (TOKENS + THREADS * VECTOR - 1) / (THREADS * VECTOR);
constexpr int WARPS = THREADS / 32;
constexpr unsigned ALL = 0xffffffffu;

template <class A, class B>
struct Same {
  static constexpr bool VALUE = false;
};
template <class A>
struct Same<A, A> {
  static constexpr bool VALUE = true;
};

__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }

// Integers in the order of floats.
__device__ __forceinline__ unsigned ordered(float value) {
  unsigned bits = __float_as_uint(value + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

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

// A row, read anew in each pass: it stays in the multiprocessor's cache. Thread t has vectors t, t + THREADS and so on.
struct Row {
  const Bits* logits;
  // Null where nothing is penalised.
  const unsigned char* seen;
  float penalty;

  // Calls with a token's logit and id.
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

// The output function of SplitMix64 at a count, to a number in [0, 1).
__device__ __forceinline__ double uniform(unsigned long long key, unsigned long long count) {
  unsigned long long z = key + (count + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return (double)(z >> 11) * 0x1p-53;
}

// Three numbers of a row, one for each of three keys.
template <class Value>
struct Three {
  Value of[3];
};

struct SumOfThree {
  template <class Value>
  __device__ __forceinline__ Three<Value> operator()(Three<Value> a, Three<Value> b) const {
    return {{a.of[0] + b.of[0], a.of[1] + b.of[1], a.of[2] + b.of[2]}};
  }
};

// The sums over the row of what `amount` gives for logits that are not below three keys, which ascend.
template <class Value, class Amount>
__device__ __forceinline__ Three<Value> sumsFrom(const Row& row, const unsigned (&keys)[3], Amount amount) {
  using Partial = decltype(amount(0.0f));
  Three<Partial> mine = {};
  row.each([&](float value, int) {
    unsigned key = ordered(value);
    Partial part = amount(value);
#pragma unroll
    for (int i = 0; i < 3; i++) {
      mine.of[i] += key >= keys[i] ? part : Partial(0);
    }
  });
  Three<Value> sums = {{(Value)mine.of[0], (Value)mine.of[1], (Value)mine.of[2]}};
  return acrossBlock(sums, SumOfThree());
}

// The greatest key from which on the row's amounts sum up to `wanted`, which all of them do: two bits a pass. lowestBit, a power of four, divides
// all keys that may be it.
template <class Value, class Amount>
__device__ __forceinline__ unsigned greatest(const Row& row, unsigned lowestBit, Value wanted, Amount amount) {
  unsigned key = 0;
  for (unsigned bit = 0x40000000u; bit >= lowestBit; bit >>= 2) {
    unsigned keys[3] = {key | bit, key | 2 * bit, key | 3 * bit};
    Three<Value> sums = sumsFrom<Value>(row, keys, amount);
#pragma unroll
    for (int i = 0; i < 3; i++) {
      if (sums.of[i] >= wanted) key = keys[i];
    }
  }
  return key;
}

// The token where the weights of those let in, in the order of ids, first exceed `target` together; `otherwise` if rounding lets none.
template <class Weight>
__device__ __forceinline__ int at(const Row& row, Weight weight, double target, int otherwise) {
  __shared__ double warpSums[WARPS];
  __shared__ int chosen;
  if (threadIdx.x == 0) chosen = otherwise;
  double before = 0;
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    float mine = 0;
    row.each(chunk, [&](float value, int) { mine += weight(value); });
    double all = acrossBlock((double)mine, Sum());
    if (before + all <= target) {
      before += all;
      continue;
    }
    double upTo = mine;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      double lower = __shfl_up_sync(ALL, upTo, distance);
      if (threadIdx.x % 32 >= distance) upTo += lower;
    }
    if (threadIdx.x % 32 == 31) warpSums[threadIdx.x / 32] = upTo;
    __syncthreads();
    for (int i = 0; i < (int)threadIdx.x / 32; i++) {
      upTo += warpSums[i];
    }
    double low = before + upTo - mine;
    if (low <= target && target < before + upTo) {
      bool found = false;
      row.each(chunk, [&](float value, int id) {
        low += weight(value);
        if (!found && target < low) {
          chosen = id;
          found = true;
        }
      });
    }
    break;
  }
  __syncthreads();
  return chosen;
}

extern "C" __global__ void __launch_bounds__(THREADS) token_choice(const Bits* logits, const long long* rules, int stride,
    const long long* positions, unsigned char* seen, long long* ids, long long* made) {
  letNextBegin();
  int b = blockIdx.x;
  long long topK = rules[stride + b];
  double temperature = __longlong_as_double(rules[2 * stride + b]);
  double topP = __longlong_as_double(rules[3 * stride + b]);
  float penalty = (float)__longlong_as_double(rules[4 * stride + b]);
  awaitPrevious();
  seen += (long long)b * VOCABULARY;
  Row row = {logits + (long long)b * VOCABULARY, penalty == 1 ? nullptr : seen, penalty};
  // A bf16 number is the upper half of its key.
  unsigned lowestBit = Same<ELEMENT, Bf16>::VALUE && penalty == 1 ? 1u << 16 : 1u;

  // The greatest logit and the first id that has it, as one number.
  float most = -infinity();
  unsigned first = 0;
  int wrong = 0;
  row.each([&](float value, int id) {
    wrong |= !(value < infinity());
    if (value > most) {
      most = value;
      first = id;
    }
  });
  unsigned long long best = acrossBlock((unsigned long long)~ordered(most) << 32 | first, Least());
  wrong = __syncthreads_or(wrong);
  int chosen = (int)(unsigned)best;
  unsigned top = ~(unsigned)(best >> 32);
  bool finite = !wrong && top > ordered(-infinity());

  if (finite && temperature != 0 && topK != 1) {
    float greatestLogit = __uint_as_float(top & 0x80000000u ? top & 0x7fffffffu : ~top);
    // A factor that is zero or infinite would make no numbers of minus infinity and of zero.
    float scale = (float)fmin(fmax(1.4426950408889634 / temperature, 0x1p-126), 0x1p+127);
    unsigned least = 0;
    if (topK > 0 && topK < TOKENS) {
      least = greatest(row, lowestBit, (int)topK, [](float) { return 1; });
    }
    auto mass = [&](float value) { return exp2f((value - greatestLogit) * scale); };
    auto total = [&]() {
      const unsigned keys[3] = {least, least, least};
      return sumsFrom<double>(row, keys, mass).of[0];
    };
    double all = total();
    if (topP < 1) {
      unsigned nucleus = greatest(row, lowestBit, topP * all, mass);
      if (nucleus > least) {
        least = nucleus;
        all = total();
      }
    }
    double target = uniform((unsigned long long)rules[b], (unsigned long long)positions[b]) * all;
    auto weight = [&](float value) { return ordered(value) >= least ? mass(value) : 0.0f; };
    chosen = at(row, weight, target, chosen);
  }
  if (threadIdx.x == 0) {
    ids[b] = finite ? chosen : 0;
    made[b] = finite ? chosen : -1;
    if (penalty != 1 && finite) seen[chosen] = 1;
  }
}
