// What each chunk finds of the sums that others leave, in one sweep over the tokens: accumulate.cu and scan.cu in one, without any sums in memory but
// those that are found. A block sweeps over all chunks of its rows, so that there must be heads enough to fill the GPU.
//
//   sweep(const Bits* lead, const Bits* trail, const Bits* columns, const float* weights, const float* decay, Bits* states, float* stateCounts,
//         float* carried, int rank, int tokens, int chunk, int chunks, int heads, int firstGroup, long long batchStride, long long headStride,
//         long long tokenStride)
//
// lead, trail, columns and weights are as in accumulate.cu, decay, states, stateCounts, carried and rank as in scan.cu; chunk is a multiple of STAGE.
//
// Defines: sums.cu, and -DSEEN as in scan.cu, 1 or 2. Launch G * R / ROWS blocks of 32 * WARPS_DOWN * WARPS_ACROSS threads. Tokens are added in one order,
// so that a sum is the same each time.
#include "sums.cu"

extern "C" __device__ const int sweepBytes = STAGED_BYTES;

// Calls visit with each of a thread's rows: its tile of 16, its half of that, and the row.
template <class Visit>
__device__ __forceinline__ void forEachRow(int down, Visit visit) {
#pragma unroll
  for (int i = 0; i < DOWN; i++) {
#pragma unroll
    for (int half = 0; half < 2; half++) visit(i, half, down + i * 16 + half * 8 + lane() / 4);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) sweep(const Bits* lead, const Bits* trail, const Bits* columns, const float* weights,
    const float* decay, Bits* states, float* stateCounts, float* carried, int rank, int tokens, int chunk, int chunks, int heads, int firstGroup,
    long long batchStride, long long headStride, long long tokenStride) {
  extern __shared__ __align__(16) Bits shared[];
  int tile = blockIdx.x % TILES;
  long long group = blockIdx.x / TILES;
  int row = tile * ROWS;
  int ofAll = firstGroup + (int)group;
  Source source = {lead + (group * LEAD + row % LEAD) * tokens, trail + (group * TRAIL + row / LEAD) * tokens,
      columns + ofAll / heads * batchStride + ofAll % heads * headStride, weights ? weights + group * tokens : nullptr, tokens, tokenStride};
  int across = firstColumn();
  int down = row + firstRow();
  int column = across + lane() % 4 * 2;
  bool hasCount = across == 0 && lane() % 4 == 0;
  Totals totals;

  // A row of what is carried; null where that has none.
  auto carriedRow = [&](int r) -> float* {
    if (!carried || r % LEAD >= rank) return nullptr;
    return carried + ((group * (R / LEAD) + r / LEAD) * rank + r % LEAD) * (WIDTH + 1);
  };
  forEachRow(down, [&](int i, int half, int r) {
    const float* from = carriedRow(r);
    if (!from) return;
#pragma unroll
    for (int j = 0; j < ACROSS; j++) {
      totals.value[i][j][2 * half] = from[column + j * 8];
      totals.value[i][j][2 * half + 1] = from[column + j * 8 + 1];
    }
    if (hasCount) totals.count[i][2 * half] = from[WIDTH];
  });

  auto fade = [&](int place) {
    if (!decay) return;
    float by = decay[group * chunks + place];
#pragma unroll
    for (int i = 0; i < DOWN * ACROSS * 4; i++) (&totals.value[0][0][0])[i] *= by;
#pragma unroll
    for (int i = 0; i < DOWN * 4; i++) (&totals.count[0][0])[i] *= by;
  };
  auto store = [&](int place) {
    forEachRow(down, [&](int i, int half, int r) {
      long long to = (group * chunks + place) * R + r;
#pragma unroll
      for (int j = 0; j < ACROSS; j++) {
        *reinterpret_cast<unsigned*>(states + to * WIDTH + column + j * 8) = pack(totals.value[i][j][2 * half], totals.value[i][j][2 * half + 1]);
      }
      if (hasCount) stateCounts[to] = totals.count[i][2 * half] + totals.count[i][2 * half + 1];
    });
  };

  int stages = (tokens + STAGE - 1) / STAGE;
  int stagesAChunk = chunk / STAGE;
  auto placed = [&](int stage) { return SEEN == 2 ? stages - 1 - stage : stage; };
  source.load(shared, 0, placed(0) * STAGE, tokens);
  commit();
  if (stages > 1) source.load(shared, 1, placed(1) * STAGE, tokens);
  commit();
  for (int stage = 0; stage < stages; stage++) {
    int at = placed(stage);
    int place = at / stagesAChunk;
    bool isFirst = at % stagesAChunk == 0;
    if (SEEN == 1 && isFirst) fade(place);
    if (SEEN == 1 ? isFirst : stage == 0 || (at + 1) % stagesAChunk == 0) store(place);
    settle<1>();
    __syncthreads();
    if (stage + 2 < stages) source.load(shared, (stage + 2) % BUFFERS, placed(stage + 2) * STAGE, tokens);
    commit();
    totals.add(shared, stage % BUFFERS, weights, down - row, across);
    // Backwards, what a chunk leaves passes into that chunk, and fades as it does.
    if (SEEN == 2 && isFirst) fade(place);
  }

  forEachRow(down, [&](int i, int half, int r) {
    float* to = carriedRow(r);
    if (!to) return;
#pragma unroll
    for (int j = 0; j < ACROSS; j++) {
      to[column + j * 8] = totals.value[i][j][2 * half];
      to[column + j * 8 + 1] = totals.value[i][j][2 * half + 1];
    }
    if (hasCount) to[WIDTH] = totals.count[i][2 * half] + totals.count[i][2 * half + 1];
  });
}
