// Softmax attention of one new token a sequence over the keys and values that a paged cache keeps of it: the rotation of its query and key,
// the key's and the value's way into the cache, and the attention are one kernel. One pass over the cache, float arithmetic, rounded once.
//
//   paged_attention(const Element* packed, Element* out, Element* keys, Element* values, const long long* positions,
//                   const long long* table, int tableStride, const float* cosine, const float* sine, float* partial, int* counters,
//                   int splits)
//
// packed is (B, 3, H, D): query, key and value; out (B, H, D). keys and values are (pages, PAGE, H, D). positions (B) are those of the new
// tokens, of which each sees all earlier ones of its sequence and itself. table holds the pages of sequence b in order from b * tableStride
// on. cosine and sine are (context, D/2).
//
// A sequence has `splits` blocks, each with a stretch of its tokens, none shorter than SPLIT_TOKENS, so that few sequences use the whole GPU
// as well. Blocks that have nothing to do leave at once. Where more than one is at work, each writes what it found to partial, (B, splits,
// H * D + 2 H), and the one that is done last puts the parts together, always in the same order. counters is (B), zero, and left so.
//
// -DELEMENT, -DVECTOR: element.cu; -DHEADS=H; -DHALF=D/2, a multiple of VECTOR; -DPAGE, a power of two; -DSPLIT_TOKENS; -DGROUPS. Launch
// B * splits blocks of GROUPS * HEADS * LANES threads, LANES being the greatest power of two, 8 at most, that divides a head's vectors: the
// lanes of a head each own some of its channels, so that a group reads a token's row as it lies in memory, and groups take turns in tokens.
#include "element.cu"
#include "chain.cu"

constexpr int HEAD = 2 * HALF;
constexpr int WIDTH = HEADS * HEAD;
constexpr int HEAD_VECTORS = HEAD / VECTOR;
constexpr int LANES = HEAD_VECTORS % 8 == 0 ? 8 : HEAD_VECTORS % 4 == 0 ? 4 : HEAD_VECTORS % 2 == 0 ? 2 : 1;
constexpr int VECTORS = HEAD_VECTORS / LANES;
constexpr int OWN = VECTORS * VECTOR;
constexpr int ROW = HEADS * LANES;
constexpr int THREADS = GROUPS * ROW;
constexpr int PARTIAL = WIDTH + 2 * HEADS;
// Tokens whose keys and values are on their way at once.
constexpr int AHEAD = OWN <= 16 ? 4 : 2;

__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }

// What a thread has seen of one head: the greatest score, the sum of the weights beside it, and of the values so weighted its channels.
struct Seen {
  float greatest = -infinity();
  float sum = 0;
  float value[OWN] = {};

  __device__ __forceinline__ void add(float otherGreatest, float otherSum, const float (&otherValue)[OWN]) {
    float both = fmaxf(greatest, otherGreatest);
    if (both == -infinity()) return;
    float mine = exp2f(greatest - both);
    float others = exp2f(otherGreatest - both);
    greatest = both;
    sum = sum * mine + otherSum * others;
#pragma unroll
    for (int i = 0; i < OWN; i++) {
      value[i] = value[i] * mine + otherValue[i] * others;
    }
  }
};

struct Place {
  int head;
  int lane;
  unsigned mask;

  __device__ __forceinline__ explicit Place(int within) : head(within / LANES), lane(within % LANES) {
    mask = (LANES == 32 ? 0xffffffffu : (1u << LANES) - 1) << (threadIdx.x % 32 / LANES * LANES);
  }

  // The first channel of a thread's i-th vector, in its head.
  __device__ __forceinline__ int channel(int i) const { return (i * LANES + lane) * VECTOR; }

  __device__ __forceinline__ void load(const Bits* head, float (&values)[OWN]) const {
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
      Vector::load(head + channel(i)).widen(values + i * VECTOR);
    }
  }

  __device__ __forceinline__ void store(Bits* head, const float (&values)[OWN]) const {
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
      Vector::narrow(values + i * VECTOR).store(head + channel(i));
    }
  }

  // The thread's channels of a head, turned by the angles of a position.
  __device__ __forceinline__ void rotated(const Bits* head, const float* cosine, const float* sine, float (&values)[OWN]) const {
    load(head, values);
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
      int at = channel(i);
      bool low = at < HALF;
      float partner[VECTOR];
      Vector::load(head + (low ? at + HALF : at - HALF)).widen(partner);
#pragma unroll
      for (int k = 0; k < VECTOR; k++) {
        int angle = (low ? at : at - HALF) + k;
        float turned = partner[k] * sine[angle];
        values[i * VECTOR + k] = values[i * VECTOR + k] * cosine[angle] + (low ? -turned : turned);
      }
    }
  }

  // The sum of products over all channels of the head.
  __device__ __forceinline__ float dot(const float (&a)[OWN], const float (&b)[OWN]) const {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < OWN; i++) {
      sum += a[i] * b[i];
    }
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
      sum += __shfl_xor_sync(mask, sum, distance);
    }
    return sum;
  }
};

// The tokens from `begin` on, in turns with the other groups.
__device__ __forceinline__ void attend(const Place& place, const float (&query)[OWN], const Bits* keys, const Bits* values,
    const long long* pages, int begin, int end, Seen& seen) {
  for (int at = begin; at < end; at += GROUPS * AHEAD) {
    Vector key[AHEAD][VECTORS];
    Vector value[AHEAD][VECTORS];
#pragma unroll
    for (int j = 0; j < AHEAD; j++) {
      int token = at + j < end ? at + j : end - 1;
      long long row = (pages[token / PAGE] * PAGE + token % PAGE) * WIDTH + place.head * HEAD;
#pragma unroll
      for (int i = 0; i < VECTORS; i++) {
        key[j][i] = Vector::load(keys + row + place.channel(i));
        value[j][i] = Vector::load(values + row + place.channel(i));
      }
    }
    float score[AHEAD];
    float greatest = seen.greatest;
#pragma unroll
    for (int j = 0; j < AHEAD; j++) {
      float wide[OWN];
#pragma unroll
      for (int i = 0; i < VECTORS; i++) {
        key[j][i].widen(wide + i * VECTOR);
      }
      float product = place.dot(query, wide);
      score[j] = at + j < end ? product : -infinity();
      greatest = fmaxf(greatest, score[j]);
    }
    float before = exp2f(seen.greatest - greatest);
    seen.greatest = greatest;
    seen.sum *= before;
#pragma unroll
    for (int i = 0; i < OWN; i++) {
      seen.value[i] *= before;
    }
#pragma unroll
    for (int j = 0; j < AHEAD; j++) {
      float weight = exp2f(score[j] - greatest);
      float wide[OWN];
#pragma unroll
      for (int i = 0; i < VECTORS; i++) {
        value[j][i].widen(wide + i * VECTOR);
      }
      seen.sum += weight;
#pragma unroll
      for (int i = 0; i < OWN; i++) {
        seen.value[i] += weight * wide[i];
      }
    }
  }
}

// Adds what the other groups have seen to what the first has.
__device__ __forceinline__ void gather(const Place& place, int group, Seen& seen) {
  if constexpr (GROUPS > 1) {
    __shared__ float shared[GROUPS > 1 ? GROUPS - 1 : 1][ROW][OWN + 2];
    int within = place.head * LANES + place.lane;
    if (group > 0) {
      float* mine = shared[group - 1][within];
      mine[0] = seen.greatest;
      mine[1] = seen.sum;
#pragma unroll
      for (int i = 0; i < OWN; i++) {
        mine[2 + i] = seen.value[i];
      }
    }
    __syncthreads();
    if (group > 0) return;
#pragma unroll
    for (int g = 0; g < GROUPS - 1; g++) {
      const float* others = shared[g][within];
      float value[OWN];
#pragma unroll
      for (int i = 0; i < OWN; i++) {
        value[i] = others[2 + i];
      }
      seen.add(others[0], others[1], value);
    }
  }
}

__device__ __forceinline__ void finish(const Place& place, const Seen& seen, Bits* out) {
  float value[OWN];
#pragma unroll
  for (int i = 0; i < OWN; i++) {
    value[i] = seen.value[i] / seen.sum;
  }
  place.store(out, value);
}

// Leaves a block's part where the last one finds it; true in the block that is last.
__device__ __forceinline__ bool leave(const Place& place, int group, const Seen& seen, float* mine, int* counter, int parts) {
  __shared__ bool last;
  if (group == 0) {
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
#pragma unroll
      for (int k = 0; k < VECTOR; k++) {
        mine[place.head * HEAD + place.channel(i) + k] = seen.value[i * VECTOR + k];
      }
    }
    if (place.lane == 0) {
      mine[WIDTH + 2 * place.head] = seen.greatest;
      mine[WIDTH + 2 * place.head + 1] = seen.sum;
    }
    __threadfence();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(counter, 1) == parts - 1;
    if (last) *counter = 0;
  }
  __syncthreads();
  if (last) __threadfence();
  return last;
}

extern "C" __global__ void __launch_bounds__(THREADS) paged_attention(const Bits* packed, Bits* out, Bits* keys, Bits* values,
    const long long* positions, const long long* table, int tableStride, const float* cosine, const float* sine, float* partial,
    int* counters, int splits) {
  letNextBegin();
  awaitPrevious();
  int sequence = blockIdx.x / splits;
  int split = blockIdx.x % splits;
  int position = (int)positions[sequence];
  int parts = min(splits, max(1, (position + SPLIT_TOKENS - 1) / SPLIT_TOKENS));
  if (split >= parts) return;
  int stretch = (position + parts - 1) / parts;
  int begin = split * stretch;
  int end = min(position, begin + stretch);

  int group = threadIdx.x / ROW;
  Place place(threadIdx.x % ROW);
  const Bits* row = packed + (long long)sequence * 3 * WIDTH + place.head * HEAD;
  const long long* pages = table + (long long)sequence * tableStride;
  cosine += (long long)position * HALF;
  sine += (long long)position * HALF;
  float query[OWN];
  place.rotated(row, cosine, sine, query);
  const float scale = 1.4426950408889634f * rsqrtf((float)HEAD);
#pragma unroll
  for (int i = 0; i < OWN; i++) {
    query[i] *= scale;
  }

  Seen seen;
  attend(place, query, keys, values, pages, begin + group * AHEAD, end, seen);
  if (split == 0 && group == 0) {
    float key[OWN];
    float value[OWN];
    place.rotated(row + WIDTH, cosine, sine, key);
    place.load(row + 2 * WIDTH, value);
    long long slot = (pages[position / PAGE] * PAGE + position % PAGE) * WIDTH + place.head * HEAD;
    place.store(keys + slot, key);
    place.store(values + slot, value);
    seen.add(place.dot(query, key), 1, value);
  }
  gather(place, group, seen);
  Bits* to = out + (long long)sequence * WIDTH + place.head * HEAD;
  if (parts == 1) {
    if (group == 0) finish(place, seen, to);
    return;
  }
  float* all = partial + (long long)sequence * splits * PARTIAL;
  if (!leave(place, group, seen, all + (long long)split * PARTIAL, counters + sequence, parts) || group > 0) return;
  Seen together;
  for (int part = 0; part < parts; part++) {
    const float* others = all + (long long)part * PARTIAL;
    float value[OWN];
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
#pragma unroll
      for (int k = 0; k < VECTOR; k++) {
        value[i * VECTOR + k] = __ldcg(others + place.head * HEAD + place.channel(i) + k);
      }
    }
    together.add(__ldcg(others + WIDTH + 2 * place.head), __ldcg(others + WIDTH + 2 * place.head + 1), value);
  }
  finish(place, together, to);
}
