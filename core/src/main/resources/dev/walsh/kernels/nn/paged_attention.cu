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
// A block has BLOCK_HEADS heads of a sequence, and `splits` blocks have the same, each with a stretch of about SPLIT_TOKENS or more tokens, so
// that few long sequences use the whole GPU as well; up to twice as many are one stretch, since putting parts together takes longer. Blocks that have nothing to do leave at once. Where more than one is at
// work, each writes what it found to partial, (B, H, splits, D + 2), and the one that is done last puts the parts together, always in the same
// order. counters is (B, H / BLOCK_HEADS), zero, and left so.
//
// Positions, pages, angles and what the cache held before are not written by the kernels of a step, so a block that is launched early (chain.cu)
// reads them before it waits; only `packed` comes after.
//
// -DELEMENT, -DVECTOR: element.cu; -DHEADS=H; -DHALF=D/2, a multiple of VECTOR; -DPAGE, a power of two; -DSPLIT_TOKENS; -DWARPS that a head
// has; -DBLOCK_HEADS, a divisor of H. Launch B * H / BLOCK_HEADS * splits blocks of BLOCK_HEADS * WARPS * 32 threads. The lanes of a group, the
// greatest power of two, 8 at most, that divides a head's vectors, each own some of a head's channels, so that a group reads a token's row as
// it lies in memory, and a head's groups take turns in tokens.
#include "element.cu"
#include "chain.cu"

constexpr int HEAD = 2 * HALF;
constexpr int WIDTH = HEADS * HEAD;
constexpr int HEAD_VECTORS = HEAD / VECTOR;
constexpr int LANES = HEAD_VECTORS % 8 == 0 ? 8 : HEAD_VECTORS % 4 == 0 ? 4 : HEAD_VECTORS % 2 == 0 ? 2 : 1;
constexpr int VECTORS = HEAD_VECTORS / LANES;
constexpr int OWN = VECTORS * VECTOR;
constexpr int MEMBERS = WARPS * 32;
constexpr int THREADS = BLOCK_HEADS * MEMBERS;
constexpr int GROUPS = MEMBERS / LANES;
constexpr int PARTIAL = HEAD + 2;
constexpr unsigned ALL = 0xffffffffu;
// Tokens of a group whose keys and values are on their way at once.
constexpr int AHEAD = OWN <= 8 ? 4 : OWN <= 16 ? 2 : 1;
constexpr int TURN = GROUPS * AHEAD;

__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }

// What exponents are taken against: a number even where nothing has been seen.
__device__ __forceinline__ float base(float greatest) { return greatest == -infinity() ? 0 : greatest; }

// What a thread has seen: the greatest score, the sum of the weights beside it, and of the values so weighted its channels.
struct Seen {
  float greatest = -infinity();
  float sum = 0;
  float value[OWN] = {};

  __device__ __forceinline__ void raise(float to) {
    float factor = exp2f(greatest - base(to));
    greatest = to;
    sum *= factor;
#pragma unroll
    for (int i = 0; i < OWN; i++) {
      value[i] *= factor;
    }
  }

  __device__ __forceinline__ void add(float score, const float (&values)[OWN]) {
    float weight = exp2f(score - base(greatest));
    sum += weight;
#pragma unroll
    for (int i = 0; i < OWN; i++) {
      value[i] += weight * values[i];
    }
  }

  // Adds what the warp's other groups have seen.
  __device__ __forceinline__ void gather() {
    float most = greatest;
#pragma unroll
    for (int distance = LANES; distance < 32; distance *= 2) {
      most = fmaxf(most, __shfl_xor_sync(ALL, most, distance));
    }
    raise(most);
#pragma unroll
    for (int distance = LANES; distance < 32; distance *= 2) {
      sum += __shfl_xor_sync(ALL, sum, distance);
#pragma unroll
      for (int i = 0; i < OWN; i++) {
        value[i] += __shfl_xor_sync(ALL, value[i], distance);
      }
    }
  }
};

// A lane's share of a head.
struct Share {
  int lane;

  // The first channel of its i-th vector.
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

  // The sum of products over all channels of the head.
  __device__ __forceinline__ float dot(const float (&a)[OWN], const float (&b)[OWN]) const {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < OWN; i++) {
      sum += a[i] * b[i];
    }
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) {
      sum += __shfl_xor_sync(ALL, sum, distance);
    }
    return sum;
  }
};

// A lane's channels of a head, and those that they turn with.
struct Turning {
  Vector own[VECTORS];
  Vector partner[VECTORS];

  __device__ __forceinline__ Turning(Share share, const Bits* head) {
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
      int at = share.channel(i);
      own[i] = Vector::load(head + at);
      partner[i] = Vector::load(head + (at < HALF ? at + HALF : at - HALF));
    }
  }
};

// The angles of a position for a lane's channels: by what a channel is multiplied, and by what the one that it turns with.
struct Angles {
  float own[OWN];
  float partner[OWN];

  __device__ __forceinline__ Angles(Share share, const float* cosine, const float* sine) {
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
      int at = share.channel(i);
      bool low = at < HALF;
#pragma unroll
      for (int k = 0; k < VECTOR; k++) {
        int angle = (low ? at : at - HALF) + k;
        own[i * VECTOR + k] = cosine[angle];
        partner[i * VECTOR + k] = low ? -sine[angle] : sine[angle];
      }
    }
  }

  __device__ __forceinline__ void turn(const Turning& turning, float (&values)[OWN]) const {
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
      float other[VECTOR];
      turning.own[i].widen(values + i * VECTOR);
      turning.partner[i].widen(other);
#pragma unroll
      for (int k = 0; k < VECTOR; k++) {
        int c = i * VECTOR + k;
        values[c] = values[c] * own[c] + other[k] * partner[c];
      }
    }
  }
};

// The keys and values of a group's next tokens, on their way.
struct Tokens {
  Vector key[AHEAD][VECTORS];
  Vector value[AHEAD][VECTORS];

  // Beyond `end` they are of an earlier token: neither shall be seen.
  __device__ __forceinline__ void fetch(Share share, const Bits* keys, const Bits* values, const long long* pages, int at, int end) {
#pragma unroll
    for (int j = 0; j < AHEAD; j++) {
      int token = max(min(at + j, end - 1), 0);
      long long row = (pages[token / PAGE] * PAGE + token % PAGE) * WIDTH;
#pragma unroll
      for (int i = 0; i < VECTORS; i++) {
        key[j][i] = Vector::load(keys + row + share.channel(i));
        value[j][i] = Vector::load(values + row + share.channel(i));
      }
    }
  }

  __device__ __forceinline__ void attend(Share share, const float (&query)[OWN], int at, int end, Seen& seen) const {
    float score[AHEAD];
    float greatest = seen.greatest;
#pragma unroll
    for (int j = 0; j < AHEAD; j++) {
      float wide[OWN];
#pragma unroll
      for (int i = 0; i < VECTORS; i++) {
        key[j][i].widen(wide + i * VECTOR);
      }
      float product = share.dot(query, wide);
      score[j] = at + j < end ? product : -infinity();
      greatest = fmaxf(greatest, score[j]);
    }
    seen.raise(greatest);
#pragma unroll
    for (int j = 0; j < AHEAD; j++) {
      float wide[OWN];
#pragma unroll
      for (int i = 0; i < VECTORS; i++) {
        // A weight of zero makes no zero of what is no number.
        (at + j < end ? value[j][i] : Vector::zero()).widen(wide + i * VECTOR);
      }
      seen.add(score[j], wide);
    }
  }
};

// One channel of a head of what several have seen, a stretch of PARTIAL floats each: its values, then the greatest score and the sum.
struct Channel {
  float greatest = -infinity();
  float sum = 0;
  float value = 0;

  template <class Read>
  __device__ __forceinline__ Channel(int channel, int count, Read read) {
#pragma unroll 8
    for (int i = 0; i < count; i++) {
      greatest = fmaxf(greatest, read(i * PARTIAL + HEAD));
    }
#pragma unroll 8
    for (int i = 0; i < count; i++) {
      float weight = exp2f(read(i * PARTIAL + HEAD) - base(greatest));
      sum += weight * read(i * PARTIAL + HEAD + 1);
      value += weight * read(i * PARTIAL + channel);
    }
  }
};

extern "C" __global__ void __launch_bounds__(THREADS, 512 / THREADS) paged_attention(const Bits* packed, Bits* out, Bits* keys, Bits* values,
    const long long* positions, const long long* table, int tableStride, const float* cosine, const float* sine, float* partial,
    int* counters, int splits) {
  letNextBegin();
  __shared__ float shared[BLOCK_HEADS][WARPS * PARTIAL];
  __shared__ bool last;
  int unit = blockIdx.x / splits;
  int split = blockIdx.x % splits;
  int sequence = unit / (HEADS / BLOCK_HEADS);
  int head = unit % (HEADS / BLOCK_HEADS) * BLOCK_HEADS + threadIdx.x / MEMBERS;
  int member = threadIdx.x % MEMBERS;
  int position = (int)positions[sequence];
  int parts = position < 2 * SPLIT_TOKENS ? 1 : min(splits, (position + SPLIT_TOKENS - 1) / SPLIT_TOKENS);
  if (split >= parts) return;
  int stretch = (position + parts - 1) / parts;
  int begin = split * stretch;
  int end = min(position, begin + stretch);

  Share share{member % LANES};
  int group = member / LANES;
  const long long* pages = table + (long long)sequence * tableStride;
  keys += head * HEAD;
  values += head * HEAD;
  int at = begin + group * AHEAD;
  Tokens tokens;
  tokens.fetch(share, keys, values, pages, at, end);
  Angles angles(share, cosine + (long long)position * HALF, sine + (long long)position * HALF);
  long long slot = (pages[position / PAGE] * PAGE + position % PAGE) * WIDTH;

  awaitPrevious();
  const Bits* row = packed + (long long)sequence * 3 * WIDTH + head * HEAD;
  Turning queryOf(share, row);
  Turning keyOf(share, row + WIDTH);
  float value[OWN];
  share.load(row + 2 * WIDTH, value);
  float query[OWN];
  float key[OWN];
  angles.turn(queryOf, query);
  angles.turn(keyOf, key);
  const float scale = 1.4426950408889634f * rsqrtf((float)HEAD);
#pragma unroll
  for (int i = 0; i < OWN; i++) {
    query[i] *= scale;
  }
  Seen seen;
  float score = share.dot(query, key);
  if (split == 0 && group == 0) {
    share.store(keys + slot, key);
    share.store(values + slot, value);
    seen.raise(score);
    seen.add(score, value);
  }
  for (int first = begin; first < end; first += TURN) {
    // The next are on their way while these are attended to.
    Tokens next;
    if (first + TURN < end) next.fetch(share, keys, values, pages, at + TURN, end);
    tokens.attend(share, query, at, end, seen);
    tokens = next;
    at += TURN;
  }

  seen.gather();
  float* found = shared[threadIdx.x / MEMBERS];
  if (member % 32 < LANES) {
    float* mine = found + member / 32 * PARTIAL;
#pragma unroll
    for (int i = 0; i < OWN; i++) {
      mine[share.channel(i / VECTOR) + i % VECTOR] = seen.value[i];
    }
    if (share.lane == 0) {
      mine[HEAD] = seen.greatest;
      mine[HEAD + 1] = seen.sum;
    }
  }
  __syncthreads();
  out += ((long long)sequence * HEADS + head) * HEAD;
  partial += ((long long)sequence * HEADS + head) * splits * PARTIAL;
  for (int c = member; c < HEAD; c += MEMBERS) {
    Channel channel(c, WARPS, [&](int i) { return found[i]; });
    if (parts == 1) {
      out[c] = ELEMENT::narrow(channel.value / channel.sum);
    } else {
      float* mine = partial + split * PARTIAL;
      mine[c] = channel.value;
      if (c == 0) {
        mine[HEAD] = channel.greatest;
        mine[HEAD + 1] = channel.sum;
      }
      __threadfence();
    }
  }
  if (parts == 1) return;

  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(counters + unit, 1) == parts - 1;
    if (last) counters[unit] = 0;
  }
  __syncthreads();
  if (!last) return;
  __threadfence();
  for (int c = member; c < HEAD; c += MEMBERS) {
    Channel channel(c, parts, [&](int i) { return __ldcg(partial + i); });
    out[c] = ELEMENT::narrow(channel.value / channel.sum);
  }
}
