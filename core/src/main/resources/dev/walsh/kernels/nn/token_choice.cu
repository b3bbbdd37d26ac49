// The choice of each row's next token from its logits: repetition penalty, temperature, top-k, top-p, and a random number that is a function of
// the row's key and position alone. One block a row.
//
//   token_choice(const Element* logits, const long long* rules, int stride, const long long* positions, unsigned char* seen,
//                long long* ids, long long* made, int madeStride, long long* turns)
//
// logits are (B, VOCABULARY), of which the first TOKENS columns stand for tokens. rules are (5, stride): key, top-k (0 for all), then the bits
// of doubles: temperature (0 takes the likeliest), top-p, penalty (1 for none). seen is (B, VOCABULARY): 1 for tokens that are penalised,
// read and written only where there is a penalty. ids gets the token chosen, and so does made, (TURNS, madeStride), in the row of the token's turn,
// turns[b] modulo TURNS, which becomes one more; where the logits are not finite, 0 and -1. made may be the host's memory.
//
// Among equals none is preferred: a token as likely as the least that top-k or top-p lets in is let in too. TokenChoice.java says the rest.
//
// -DELEMENT, -DVECTOR: element.cu; -DVOCABULARY, a multiple of VECTOR; -DTOKENS; -DTURNS; -DTHREADS, a multiple of 32. Launch B blocks of THREADS.
#include "block.cu"
#include "chain.cu"
#include "tokens.cu"

template <class A, class B>
struct Same {
  static constexpr bool VALUE = false;
};
template <class A>
struct Same<A, A> {
  static constexpr bool VALUE = true;
};

// The output function of SplitMix64 at a count, to a number in [0, 1).
__device__ __forceinline__ double uniform(unsigned long long key, unsigned long long count) {
  unsigned long long z = key + (count + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return (double)(z >> 11) * 0x1p-53;
}

// Numbers of a row, one for each of some keys.
template <class Value, int KEYS>
struct Several {
  Value of[KEYS];
};

struct SumOfEach {
  template <class Value, int KEYS>
  __device__ __forceinline__ Several<Value, KEYS> operator()(Several<Value, KEYS> a, const Several<Value, KEYS>& b) const {
#pragma unroll
    for (int i = 0; i < KEYS; i++) {
      a.of[i] += b.of[i];
    }
    return a;
  }
};

// The sums over a row, or few of its tokens, of what `amount` gives for logits that are not below some keys.
template <class Value, int KEYS, class Tokens, class Amount>
__device__ __forceinline__ Several<Value, KEYS> sumsFrom(const Tokens& tokens, const unsigned (&keys)[KEYS], Amount amount) {
  using Partial = decltype(amount(0.0f));
  Several<Partial, KEYS> mine = {};
  tokens.each([&](float value, int) {
    unsigned key = ordered(value);
    Partial part = amount(value);
#pragma unroll
    for (int i = 0; i < KEYS; i++) {
      mine.of[i] += key >= keys[i] ? part : Partial(0);
    }
  });
  Several<Value, KEYS> sums;
#pragma unroll
  for (int i = 0; i < KEYS; i++) {
    sums.of[i] = (Value)mine.of[i];
  }
  return tokens.across(sums, SumOfEach());
}

// The greatest key from which on the amounts sum up to `wanted`, which all of them do: two bits a pass. lowestBit, a power of four, divides
// all keys that may be it.
template <class Value, class Tokens, class Amount>
__device__ __forceinline__ unsigned greatest(const Tokens& tokens, unsigned lowestBit, Value wanted, Amount amount) {
  unsigned key = 0;
  for (unsigned bit = 0x40000000u; bit >= lowestBit; bit >>= 2) {
    unsigned keys[3] = {key | bit, key | 2 * bit, key | 3 * bit};
    auto sums = sumsFrom<Value>(tokens, keys, amount);
#pragma unroll
    for (int i = 0; i < 3; i++) {
      if (sums.of[i] >= wanted) key = keys[i];
    }
  }
  return key;
}

// The token where the weights of those let in, in the order of ids, first exceed `target` together; `otherwise` if rounding lets none.
template <class Tokens, class Weight>
__device__ __forceinline__ int at(const Tokens& tokens, Weight weight, double target, int otherwise) {
  __shared__ double warpSums[WARPS];
  __shared__ int chosen;
  if (threadIdx.x == 0) chosen = otherwise;
  double before = 0;
  for (int chunk = 0; chunk < tokens.chunks(); chunk++) {
    float mine = 0;
    tokens.each(chunk, [&](float value, int) { mine += weight(value); });
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
      tokens.each(chunk, [&](float value, int id) {
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

// The least key of the tokens that are let in, and their weights together.
struct LetIn {
  unsigned least;
  double all;
};

// What a row draws from: weights are powers of two of what a logit is below the greatest, so scaled.
struct Draw {
  float greatestLogit;
  float scale;
  unsigned lowestBit;
  // 0 for all.
  int topK;
  double topP;
  double number;

  __device__ __forceinline__ float mass(float value) const { return exp2f((value - greatestLogit) * scale); }

  // The key of the logit whose weight is 2^-bits.
  __device__ __forceinline__ unsigned below(float bits) const { return ordered(greatestLogit - bits / scale); }

  template <class Tokens>
  __device__ __forceinline__ double massFrom(const Tokens& tokens, unsigned least) const {
    const unsigned keys[1] = {least};
    return sumsFrom<double>(tokens, keys, [&](float value) { return mass(value); }).of[0];
  }

  // What top-k and top-p let in, of a row whose weights sum up to `all`, or of those few that they leave of it and more.
  template <class Tokens>
  __device__ __forceinline__ LetIn letIn(const Tokens& tokens, double all) const {
    unsigned least = 0;
    if (topK > 0) {
      least = greatest(tokens, lowestBit, topK, [](float) { return 1; });
      all = massFrom(tokens, least);
    }
    if (topP < 1) {
      unsigned nucleus = greatest(tokens, lowestBit, topP * all, [&](float value) { return mass(value); });
      if (nucleus > least) {
        least = nucleus;
        all = massFrom(tokens, least);
      }
    }
    return {least, all};
  }

  // The token; `otherwise` if rounding leaves none.
  template <class Tokens>
  __device__ __forceinline__ int from(const Tokens& tokens, const LetIn& which, int otherwise) const {
    auto weight = [&](float value) { return ordered(value) >= which.least ? mass(value) : 0.0f; };
    return at(tokens, weight, number * which.all, otherwise);
  }

  // Most of a row's tokens weigh next to nothing, and where top-k and top-p leave out all of them, one pass finds that out.
  __device__ __forceinline__ int from(const Row& row, Few few, int otherwise) const {
    const unsigned bounds[] = {0, below(16), below(12), below(9), below(6), below(4), below(2)};
    unsigned bound = 0;
    double all = 0;
    if (topK > 0) {
      bound = last(bounds, sumsFrom<int>(row, bounds, [](float) { return 1; }), topK);
    } else {
      auto sums = sumsFrom<double>(row, bounds, [&](float value) { return mass(value); });
      all = sums.of[0];
      if (topP < 1) bound = last(bounds, sums, topP * all);
    }
    if (bound > 0) few.gather(row, bound);
    if (bound == 0 || !few.fit()) return from(row, letIn(row, all), otherwise);
    __shared__ LetIn ofFew;
    if (threadIdx.x < 32) {
      LetIn found = letIn(FewOfWarp{few.values, few.count}, all);
      if (threadIdx.x == 0) ofFew = found;
    }
    __syncthreads();
    return from(few, ofFew, otherwise);
  }

  // The last of keys, which ascend, from which on there is as much as is wanted; 0 for none.
  template <class Value, int KEYS>
  static __device__ __forceinline__ unsigned last(const unsigned (&keys)[KEYS], const Several<Value, KEYS>& sums, Value wanted) {
    unsigned found = 0;
#pragma unroll
    for (int i = 0; i < KEYS; i++) {
      if (sums.of[i] >= wanted) found = keys[i];
    }
    return found;
  }
};

extern "C" __global__ void __launch_bounds__(THREADS) token_choice(const Bits* logits, const long long* rules, int stride,
    const long long* positions, unsigned char* seen, long long* ids, long long* made, int madeStride, long long* turns) {
  letNextBegin();
  int b = blockIdx.x;
  long long topK = rules[stride + b];
  double temperature = __longlong_as_double(rules[2 * stride + b]);
  double topP = __longlong_as_double(rules[3 * stride + b]);
  float penalty = (float)__longlong_as_double(rules[4 * stride + b]);
  awaitPrevious();
  long long turn = turns[b];
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
    __shared__ float values[Few::MOST];
    __shared__ int tokens[Few::MOST];
    float greatestLogit = __uint_as_float(top & 0x80000000u ? top & 0x7fffffffu : ~top);
    // A factor that is zero or infinite would make no numbers of minus infinity and of zero.
    float scale = (float)fmin(fmax(1.4426950408889634 / temperature, 0x1p-126), 0x1p+127);
    int limit = topK > 0 && topK < TOKENS ? (int)topK : 0;
    Draw draw = {greatestLogit, scale, lowestBit, limit, topP, uniform((unsigned long long)rules[b], (unsigned long long)positions[b])};
    chosen = draw.from(row, Few{values, tokens, 0}, chosen);
  }
  if (threadIdx.x == 0) {
    ids[b] = finite ? chosen : 0;
    made[turn % TURNS * madeStride + b] = finite ? chosen : -1;
    turns[b] = turn + 1;
    if (penalty != 1 && finite) seen[chosen] = 1;
  }
}
