// The gradient of an embedding: row id of dWeight is the sum of the rows of dy whose token has that id, in float, in the order of the
// tokens' positions dealt to a fixed number of sums, so that it is the same in every run.
//
//   embedding_backward(const int* ids, const long long* positions, const Element* dy, Element* dWeight, int tokens)
//
// ids are sorted, positions say where in dy (tokens, d) each was. dWeight is (vocabulary, d); rows whose id does not occur are left alone.
//
// -DELEMENT, -DVECTOR: element.cu; -DWIDTH=d, a multiple of VECTOR; -DWARPS, at most 32. Launch ceil(tokens / WARPS) *
// ceil(d / (32 * VECTOR)) blocks of WARPS * 32 threads: a warp looks after one sorted token and 32 * VECTOR channels. Where its token is the first of a run of one id, it adds up the run;
// the warps of a block share a run that is long.
#include "element.cu"

constexpr int LANES = 32;
constexpr int SLICES = (WIDTH + LANES * VECTOR - 1) / (LANES * VECTOR);
constexpr unsigned ALL = 0xffffffffu;

// Adds to sums what the run of ids[start] has in every `stride`-th piece of LANES tokens, from the piece at `from` on.
__device__ __forceinline__ void addRun(const int* ids, const long long* positions, const Bits* dy, int column, int start, int from,
    int stride, int tokens, float (&sums)[VECTOR]) {
  constexpr int AT_ONCE = 4;
  int lane = threadIdx.x % LANES;
  int id = ids[start];
  for (int piece = from; piece < tokens; piece += stride) {
    int mine = piece + lane;
    bool same = mine < tokens && ids[mine] == id;
    long long position = same ? positions[mine] : 0;
    int count = __popc(__ballot_sync(ALL, same));
    for (int i = 0; i < count; i += AT_ONCE) {
      Vector rows[AT_ONCE];
#pragma unroll
      for (int k = 0; k < AT_ONCE; k++) {
        long long row = __shfl_sync(ALL, position, (i + k) % LANES);
        rows[k] = i + k < count && column < WIDTH ? Vector::load(dy + row * WIDTH + column) : Vector::zero();
      }
#pragma unroll
      for (int k = 0; k < AT_ONCE; k++) {
        float values[VECTOR];
        rows[k].widen(values);
#pragma unroll
        for (int j = 0; j < VECTOR; j++) {
          sums[j] += values[j];
        }
      }
    }
    if (count < LANES) {
      return;
    }
  }
}

extern "C" __global__ void __launch_bounds__(WARPS * LANES) embedding_backward(const int* ids, const long long* positions, const Bits* dy,
    Bits* dWeight, int tokens) {
  __shared__ bool isLong[WARPS];
  __shared__ float partial[WARPS][LANES * VECTOR];
  int warp = threadIdx.x / LANES;
  int lane = threadIdx.x % LANES;
  int first = blockIdx.x / SLICES * WARPS;
  int column = (blockIdx.x % SLICES * LANES + lane) * VECTOR;
  int start = first + warp;
  bool begins = start < tokens && (start == 0 || ids[start] != ids[start - 1]);
  bool runsOn = begins && start + LANES < tokens && ids[start + LANES] == ids[start];
  if (lane == 0) {
    isLong[warp] = runsOn;
  }
  if (begins && !runsOn) {
    float sums[VECTOR] = {};
    addRun(ids, positions, dy, column, start, start, LANES, tokens, sums);
    if (column < WIDTH) {
      Vector::narrow(sums).store(dWeight + (long long)ids[start] * WIDTH + column);
    }
  }
  __syncthreads();
  for (int w = 0; w < WARPS; w++) {
    if (!isLong[w]) {
      continue;
    }
    float sums[VECTOR] = {};
    addRun(ids, positions, dy, column, first + w, first + w + warp * LANES, WARPS * LANES, tokens, sums);
#pragma unroll
    for (int j = 0; j < VECTOR; j++) {
      partial[warp][lane * VECTOR + j] = sums[j];
    }
    __syncthreads();
    if (warp == 0 && column < WIDTH) {
#pragma unroll
      for (int other = 1; other < WARPS; other++) {
#pragma unroll
        for (int j = 0; j < VECTOR; j++) {
          sums[j] += partial[other][lane * VECTOR + j];
        }
      }
      Vector::narrow(sums).store(dWeight + (long long)ids[first + w] * WIDTH + column);
    }
    __syncthreads();
  }
}
