// Pieces of matrix products on tensor cores: tiles of bf16 in shared memory, the fragments that a warp takes of them, and the instruction.
// A tile's rows are PAD elements longer than what they hold, so that eight rows lie in different banks. Needs compute capability 8.0.
//
// A fragment of A is 16 x 16, one of B 16 (the summed index) x 16, one of sums two tiles of 16 x 8 beside each other. Of a tile of sums a thread
// has rows lane / 4 and that + 8, each at columns 2 (lane % 4) and that + 1; a fragment of A is two such tiles beside each other.

using Bits = unsigned short;

constexpr int PAD = 8;
constexpr int WARP = 32;

__device__ __forceinline__ int lane() { return threadIdx.x % WARP; }

__device__ __forceinline__ float widen(Bits bits) { return __uint_as_float((unsigned)bits << 16); }
__device__ __forceinline__ float low(unsigned pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float high(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }

__device__ __forceinline__ unsigned pack(float low, float high) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

__device__ __forceinline__ unsigned both(Bits bits) { return bits | (unsigned)bits << 16; }

// Two products, each rounded once.
__device__ __forceinline__ unsigned multiply(unsigned a, unsigned b) {
  unsigned product;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(product) : "r"(a), "r"(b), "r"(0x80008000u));
  return product;
}

__device__ __forceinline__ unsigned address(const void* shared) { return (unsigned)__cvta_generic_to_shared(shared); }

// Copies 16 bytes to shared memory in the background, or zeros where they are not present.
__device__ __forceinline__ void fetch(void* to, const void* from, bool present) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address(to)), "l"(from), "r"(present ? 16 : 0) : "memory");
}

__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until all of this thread's batches but the latest PENDING have arrived.
template <int PENDING>
__device__ __forceinline__ void settle() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Fetches DEPTH rows of BREADTH elements, of which those from `rows` and `columns` on become zeros; `columns` is a multiple of 8. In a loop over
// tiles the compiler would keep the addresses of all fetches in registers, so that AT_ONCE, how many it may unroll, is to be small there.
template <int DEPTH, int BREADTH, int CREW, int AT_ONCE = (DEPTH * BREADTH / 8 + CREW - 1) / CREW>
__device__ __forceinline__ void fetchTile(Bits* to, const Bits* from, long long stride, int rows, int columns) {
  constexpr int VECTORS = BREADTH / 8;
#pragma unroll AT_ONCE
  for (int base = 0; base < DEPTH * VECTORS; base += CREW) {
    int i = base + threadIdx.x;
    if (DEPTH * VECTORS % CREW != 0 && i >= DEPTH * VECTORS) break;
    int row = i / VECTORS;
    int column = i % VECTORS * 8;
    bool present = row < rows && column < columns;
    fetch(to + row * (BREADTH + PAD) + column, present ? from + row * stride + column : from, present);
  }
}

struct Fragment {
  unsigned r[4];
};

template <bool TRANSPOSED>
__device__ __forceinline__ Fragment loadMatrices(const Bits* at) {
  Fragment f;
  if constexpr (TRANSPOSED) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
        : "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]), "=r"(f.r[3]) : "r"(address(at)) : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
        : "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]), "=r"(f.r[3]) : "r"(address(at)) : "memory");
  }
  return f;
}

// A tile of 8 x 8, a row in four lanes, turned over.
__device__ __forceinline__ unsigned transposed(unsigned pair) {
  unsigned turned;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(turned) : "r"(pair));
  return turned;
}

// Which of a 16 x 16 block's rows and halves a lane points at: the first in the order (down, right), the second in (right, down).
__device__ __forceinline__ int downThenRight(int stride) { return lane() % 16 * stride + lane() / 16 * 8; }
__device__ __forceinline__ int rightThenDown(int stride) { return (lane() % 8 + lane() / 16 * 8) * stride + lane() / 8 % 2 * 8; }

// A fragment of A from a tile whose rows are A's rows, or A's columns.
__device__ __forceinline__ Fragment aOfRows(const Bits* at, int stride) { return loadMatrices<false>(at + downThenRight(stride)); }
__device__ __forceinline__ Fragment aOfColumns(const Bits* at, int stride) { return loadMatrices<true>(at + rightThenDown(stride)); }

// A fragment of B from a tile whose rows are the summed index, or B's columns.
__device__ __forceinline__ Fragment bOfRows(const Bits* at, int stride) { return loadMatrices<true>(at + downThenRight(stride)); }
__device__ __forceinline__ Fragment bOfColumns(const Bits* at, int stride) { return loadMatrices<false>(at + rightThenDown(stride)); }

// sums += A·B for 8 columns of B, b0 its first 8 rows and b1 its last.
__device__ __forceinline__ void addProduct(float (&sums)[4], const Fragment& a, unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b0), "r"(b1));
}

// The half of a fragment of B, with its rows beside them, that is one column of floats: its roundings in column 0, the rest of it in column 1.
// two: the floats of rows 2 (lane % 4) and that + 1, of the first 8 rows or of the last.
__device__ __forceinline__ unsigned columnOf(float2 two) {
  unsigned rounded = pack(two.x, two.y);
  unsigned rest = pack(two.x - low(rounded), two.y - high(rounded));
  int column = lane() / 4;
  return column == 0 ? rounded : column == 1 ? rest : 0;
}

// The same of ones.
__device__ __forceinline__ unsigned columnOfOnes() { return lane() / 4 == 0 ? 0x3f803f80u : 0; }
