// What the kernels that pull have in common: their tiles, and the gradients of features as a warp has them in registers. Defines as in pull.cu.
#include "tensor_cores.cu"

constexpr int R = LEAD * TRAIL;
constexpr int WARPS = 4;
constexpr int THREADS = WARPS * WARP;
constexpr int BLOCK = 16 * DOWN * WARPS;
constexpr int OTHERS = 32;
constexpr bool TWO = TRAIL > 1;
constexpr int TRAIL_ROWS = TWO ? (TRAIL + 15) / 16 * 16 : 0;
// Of the gradient of trail, which a single factor does not have.
constexpr int TRAIL_GRADIENTS = TWO ? TRAIL_ROWS : 16;
constexpr int SLICES = LEAD / SLICE;
constexpr int TILE = SLICE * TRAILS;
// The columns of dΦ in hand at a time.
constexpr int PART = SLICE % 32 == 0 ? 32 : 16;
// Others in hand at a time.
constexpr int OTHERS_AT_ONCE = SLICE + TRAIL_ROWS <= 64 ? 32 : 16;
constexpr int BLOCK_STRIDE = BLOCK + PAD;
constexpr int OTHER_STRIDE = OTHERS + PAD;
constexpr int WIDTH_STRIDE = WIDTH + PAD;
constexpr int STATE_TILES = STATES ? TRAIL / TRAILS : 0;
constexpr int STATE_BITS = STATES ? TILE * WIDTH_STRIDE + 2 * TILE : 0;
constexpr int PAIR_BITS = PAIRS ? (SLICE + TRAIL_ROWS) * OTHER_STRIDE + OTHERS * WIDTH_STRIDE + 2 * OTHERS : 0;
constexpr int BUFFER = STATE_BITS > PAIR_BITS ? STATE_BITS : PAIR_BITS;
constexpr int BUFFERS = 3;
// Shared memory: the features, where the gradients lie in the end; the columns; the gradient of trail so far; the buffers.
constexpr int FEATURES = (SLICE + TRAIL_ROWS) * BLOCK_STRIDE;
constexpr int COLUMNS = BLOCK * WIDTH_STRIDE;
constexpr int SUM_STRIDE = TRAIL_ROWS + 2;
constexpr int SUMS = TWO ? 2 * BLOCK * SUM_STRIDE : 0;

static_assert(LEAD % SLICE == 0 && SLICE <= 64 && (!TWO || SLICE == LEAD) && TRAIL % TRAILS == 0);

extern "C" __device__ const int pullBytes = (FEATURES + COLUMNS + SUMS + BUFFERS * BUFFER) * sizeof(Bits);

struct Gradient {
  float lead[DOWN][SLICE / 8][4] = {};
  float trail[DOWN][TRAIL_GRADIENTS / 8][4] = {};
};

// How tokens of a warp are weighed: two rows of each 16.
struct Weights {
  float of[DOWN][2];
};
