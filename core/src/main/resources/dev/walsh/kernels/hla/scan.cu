// What each chunk finds of the sums that others leave: float32 in, rounded to bf16 once.
//
//   scan(const float* sums, const float* counts, const float* decay, Bits* states, float* stateCounts, float* carried, int rank, int chunks,
//        int groups)
//
// sums is (G, chunks, ENTRIES), counts (G, chunks, R). With -DSEEN=0 states is (G, ENTRIES), the sum of all chunks; with 1 it is (G, chunks, ENTRIES),
// for each chunk that of those before it, with 2 of those after it; stateCounts the same of counts. decay (G, chunks) is what the sums before a chunk
// are multiplied by where it begins, or null for ones; SEEN 0 has none. With SEEN 1, carried (G, R / LEAD * rank, D + 1) are the sums before the first chunk
// and become those after the last, the count being the last column, of the first `rank` of each LEAD rows, since the rest is zero; or null.
//
// -DENTRIES=R*D; -DR, even both; -DLEAD; -DTHREADS. Launch ceil(G * (ENTRIES + R) / 2 / THREADS) blocks. Chunks are added in order by one thread, so that
// a sum is the same each time.
#include "tensor_cores.cu"

constexpr int AHEAD = 8;
constexpr int WIDTH = ENTRIES / R;

extern "C" __global__ void __launch_bounds__(THREADS) scan(const float* sums, const float* counts, const float* decay, Bits* states,
    float* stateCounts, float* carried, int rank, int chunks, int groups) {
  long long thread = (long long)blockIdx.x * THREADS + threadIdx.x;
  constexpr int PAIRS = (ENTRIES + R) / 2;
  long long group = thread / PAIRS;
  if (group >= groups) return;
  int at = (int)(thread % PAIRS) * 2;
  bool ofCounts = at >= ENTRIES;
  int stride = ofCounts ? R : ENTRIES;
  if (ofCounts) at -= ENTRIES;
  const float* from = (ofCounts ? counts : sums) + group * chunks * stride + at;
  long long to = group * (SEEN == 0 ? 1 : chunks) * stride + at;
  if (decay) decay += group * chunks;

  auto store = [&](int chunk, float2 value) {
    if (ofCounts) {
      *reinterpret_cast<float2*>(stateCounts + to + (long long)chunk * stride) = value;
    } else {
      *reinterpret_cast<unsigned*>(states + to + (long long)chunk * stride) = pack(value.x, value.y);
    }
  };

  // Where an entry of what is carried lies, or null where that has none.
  auto carriedAt = [&](int entry) -> float* {
    int r = ofCounts ? entry : entry / WIDTH;
    if (!carried || r % LEAD >= rank) return nullptr;
    long long row = (group * (R / LEAD) + r / LEAD) * rank + r % LEAD;
    return carried + row * (WIDTH + 1) + (ofCounts ? WIDTH : entry % WIDTH);
  };
  float* left = carriedAt(at);
  float* right = carriedAt(at + 1);
  float2 total = make_float2(left ? *left : 0, right ? *right : 0);
  for (int base = 0; base < chunks; base += AHEAD) {
    float2 next[AHEAD];
    float fade[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      int chunk = SEEN == 2 ? chunks - 1 - base - i : base + i;
      if (base + i < chunks) {
        next[i] = *reinterpret_cast<const float2*>(from + (long long)chunk * stride);
        // Backwards, what a chunk leaves passes into that chunk, and fades as it does.
        fade[i] = decay ? decay[chunk] : 1;
      }
    }
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      int chunk = SEEN == 2 ? chunks - 1 - base - i : base + i;
      if (base + i >= chunks) break;
      if (SEEN == 1) {
        total = make_float2(total.x * fade[i], total.y * fade[i]);
        store(chunk, total);
      }
      if (SEEN == 2) store(chunk, total);
      total = make_float2(total.x + next[i].x, total.y + next[i].y);
      if (SEEN == 2) total = make_float2(total.x * fade[i], total.y * fade[i]);
    }
  }
  if (SEEN == 0) store(0, total);
  if (left) *left = total.x;
  if (right) *right = total.y;
}
