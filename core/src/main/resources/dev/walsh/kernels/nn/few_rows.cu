// Products of few rows with a matrix of a model that only runs, on matrix units: out = x Wᵀ, or with -DGATED=1 silu(x Gᵀ) ⊙ (x Uᵀ) where W is
// G above U. The matrix is read once, as it lies in memory, and its first columns before the kernel waits for the one that makes x. Sums are
// float, and rounded once.
//
//   few_rows(const Bits* x, const char* weight, Out* out, int in, int stride, int outs, int batch)
//
// x is (batch, in), batch being ROWS at most; out (batch, outs), float with -DWIDE_OUT=1, else Bits. W has rows of `stride` bytes, a multiple
// of 16: elements, or with -DIN_BYTES=1 signed bytes and, at stride - 16, the float that they are multiplied by. `in` is a multiple of the 16
// bytes' elements.
//
// -DELEMENT=Bf16, -DVECTOR=8: element.cu; -DROWS, 8 or a multiple of 16; -DTILES, groups of 8 columns of out that a block has, 1, 2 or 4; -DWARPS of a
// block, a power of two, which take turns in the columns of W; -DSPLITS, blocks that do so together, more than one (a cluster) from compute
// capability 9.0 on; -DDEPTH, accesses of 16 bytes a lane and tile under way. Launch ceil(outs / (8 * TILES)) * SPLITS blocks of WARPS * 32
// threads.
#include "element.cu"
#include "chain.cu"
#include "cluster.cu"

// Of the instruction m16n8k16, rows of x are the 16, rows of W the 8. A lane's share of the 16 summed columns may be any, as long as it is the
// same in x and W: it is made of what lies side by side in memory, so that one access brings the shares of several instructions.
constexpr int HALVES = GATED ? 2 : 1;
constexpr int COLUMNS = 8 * TILES;
constexpr int PACKET = IN_BYTES ? 16 : 8;
constexpr int STEP = 4 * PACKET;
constexpr int PARTS = PACKET / 8;
constexpr int EIGHTS = ROWS / 8;
constexpr int GROUPS = (EIGHTS + 1) / 2;
constexpr int THREADS = WARPS * 32;
constexpr int TURN = SPLITS * WARPS * STEP;
constexpr int SUMS = HALVES * TILES * GROUPS * 4;
// Threads of a multiprocessor: fewer where a lane's sums alone are half of the registers that each of so many has.
constexpr int RESIDENT = SUMS < 64 ? 512 : 256;
constexpr int TRAILER = 16;
static_assert(THREADS % COLUMNS == 0, "a thread has one column of what a block writes");

using Out = Either<WIDE_OUT, float, Bits>::Type;

// Sixteen bytes of a row.
struct alignas(16) Packet {
  unsigned units[4];
};

__device__ __forceinline__ Packet load(const void* from) { return *reinterpret_cast<const Packet*>(from); }

// Two elements of W of a packet: those 2i and 2i + 1.
__device__ __forceinline__ unsigned pair(const Packet& packet, int i) {
  if constexpr (IN_BYTES) {
    // With 128 for an exponent of bf16, seven bits are a number from 128 to 255; the sign bit makes 256 of the 128 to be taken off.
    unsigned two = __byte_perm(packet.units[i / 2], 0, i % 2 ? 0x4342 : 0x4140);
    unsigned low = (two & 0x007f007fu) | 0x43004300u;
    unsigned off = (two & 0x00800080u) | 0xc300c300u;
    unsigned sum;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(low), "r"(0x3f803f80u), "r"(off));
    return sum;
  } else {
    return packet.units[i];
  }
}

__device__ __forceinline__ void addProduct(float (&sums)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Where column `column` of row n stands in shared memory: so that rows' eighths that are written at once are not in each other's way.
__device__ __forceinline__ int place(int n, int column) { return column ^ n * TILES / 4 % TILES * 8; }

// What the warps of a block have found.
using Sums = float[WARPS][HALVES][ROWS][COLUMNS];

__device__ __forceinline__ float sumOfWarps(const Sums& sums, int half, int n, int column) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < WARPS; i++) {
    sum += sums[i][half][n][place(n, column)];
  }
  return sum;
}

extern "C" __global__ void
#if SPLITS > 1
__cluster_dims__(SPLITS, 1, 1)
#endif
__launch_bounds__(THREADS, RESIDENT / THREADS) few_rows(const Bits* x, const char* weight, Out* out, int in, int stride, int outs, int batch) {
  letNextBegin();
  __shared__ Sums shared;
  int split = blockIdx.x % SPLITS;
  int warp = threadIdx.x / 32;
  int group = threadIdx.x % 32 / 4;
  int lane = threadIdx.x % 4;
  int firstOut = blockIdx.x / SPLITS * COLUMNS;
  const char* row[HALVES][TILES];
#pragma unroll
  for (int h = 0; h < HALVES; h++) {
#pragma unroll
    for (int t = 0; t < TILES; t++) {
      row[h][t] = weight + (long long)(min(firstOut + t * 8 + group, outs - 1) + h * outs) * stride;
    }
  }
  int at = (split * WARPS + warp) * STEP + lane * PACKET;
  // Columns that W does not have are its last ones again; they shall be multiplied by zeros.
  auto fetch = [&](int h, int t, int column) { return load(row[h][t] + (long long)min(column, in - PACKET) / PACKET * 16); };
  Packet w[DEPTH][HALVES][TILES];
#pragma unroll
  for (int d = 0; d < DEPTH; d++) {
#pragma unroll
    for (int h = 0; h < HALVES; h++) {
#pragma unroll
      for (int t = 0; t < TILES; t++) {
        w[d][h][t] = fetch(h, t, at + d * TURN);
      }
    }
  }
  int column = threadIdx.x % COLUMNS;
  bool written = firstOut + column < outs;
  float scale[HALVES];
#pragma unroll
  for (int h = 0; h < HALVES; h++) {
    scale[h] = IN_BYTES && written
        ? *reinterpret_cast<const float*>(weight + (long long)(firstOut + column + h * outs + 1) * stride - TRAILER)
        : 1.0f;
  }

  awaitPrevious();
  float sums[HALVES][TILES][GROUPS][4] = {};
  for (; at - lane * PACKET < in; at += DEPTH * TURN) {
    Packet a[DEPTH][EIGHTS][PARTS];
#pragma unroll
    for (int d = 0; d < DEPTH; d++) {
#pragma unroll
      for (int e = 0; e < EIGHTS; e++) {
        int n = min(e * 8 + group, batch - 1);
#pragma unroll
        for (int p = 0; p < PARTS; p++) {
          a[d][e][p] = load(x + (long long)n * in + min(at + d * TURN, in - PACKET) + p * 8);
        }
      }
    }
#pragma unroll
    for (int d = 0; d < DEPTH; d++) {
#pragma unroll
      for (int h = 0; h < HALVES; h++) {
#pragma unroll
        for (int t = 0; t < TILES; t++) {
          Packet packet = at + d * TURN < in ? w[d][h][t] : Packet{};
          w[d][h][t] = fetch(h, t, at + (d + DEPTH) * TURN);
#pragma unroll
          for (int i = 0; i < PACKET / 4; i++) {
            unsigned b0 = pair(packet, 2 * i);
            unsigned b1 = pair(packet, 2 * i + 1);
#pragma unroll
            for (int g = 0; g < GROUPS; g++) {
              const Packet& upper = a[d][2 * g][i / 2];
              const int k = i % 2 * 2;
              if constexpr (EIGHTS > 1) {
                const Packet& lower = a[d][2 * g + 1][i / 2];
                addProduct(sums[h][t][g], upper.units[k], lower.units[k], upper.units[k + 1], lower.units[k + 1], b0, b1);
              } else {
                addProduct(sums[h][t][g], upper.units[k], 0, upper.units[k + 1], 0, b0, b1);
              }
            }
          }
        }
      }
    }
  }

#pragma unroll
  for (int h = 0; h < HALVES; h++) {
#pragma unroll
    for (int t = 0; t < TILES; t++) {
#pragma unroll
      for (int e = 0; e < EIGHTS; e++) {
        const float* two = sums[h][t][e / 2] + e % 2 * 2;
        *reinterpret_cast<float2*>(&shared[warp][h][e * 8 + group][place(group, t * 8 + lane * 2)]) = make_float2(two[0], two[1]);
      }
    }
  }
  __syncthreads();
  if constexpr (SPLITS > 1) {
    for (int n = threadIdx.x / COLUMNS; n < batch; n += THREADS / COLUMNS) {
#pragma unroll
      for (int h = 0; h < HALVES; h++) {
        shared[0][h][n][place(n, column)] = sumOfWarps(shared, h, n, column);
      }
    }
    awaitCluster();
  }
  for (int n = threadIdx.x / COLUMNS * SPLITS + split; n < batch && written; n += THREADS / COLUMNS * SPLITS) {
    float value[HALVES] = {};
#pragma unroll
    for (int h = 0; h < HALVES; h++) {
      if constexpr (SPLITS > 1) {
#pragma unroll
        for (int i = 0; i < SPLITS; i++) {
          value[h] += peer(shared[0][h][n][place(n, column)], i);
        }
      } else {
        value[h] = sumOfWarps(shared, h, n, column);
      }
      value[h] *= scale[h];
    }
    float result = value[0];
    if constexpr (GATED) {
      result = value[0] / (1 + __expf(-value[0])) * value[1];
    }
    if constexpr (WIDE_OUT) {
      out[(long long)n * outs + firstOut + column] = result;
    } else {
      out[(long long)n * outs + firstOut + column] = ELEMENT::narrow(result);
    }
  }
  // Shared memory must be there until all have read it.
  if constexpr (SPLITS > 1) awaitCluster();
}
