// SwiGLU on rows that hold gate and up side by side: h = silu(gate) * up with silu(x) = x / (1 + exp(-x)), and its gradient. One pass over
// memory each (6F bytes a row of 2-byte elements forward, 10F backward), float arithmetic, rounded once.
//
//   swiglu_forward(const Element* gateUp, Element* h, long long vectors)
//   swiglu_backward(const Element* gateUp, const Element* dh, Element* dGateUp, long long vectors)
//
// gateUp and dGateUp are (rows, 2F), h and dh (rows, F), all contiguous and apart; vectors = rows * F / VECTOR.
//
// -DELEMENT, -DVECTOR: element.cu; -DHIDDEN=F, a multiple of VECTOR. Launch ceil(vectors / THREADS) blocks of -DTHREADS threads; swiglu_forward
// may be launched early (chain.cu).
#include "element.cu"
#include "chain.cu"

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1, 1 + __expf(-x)); }

// Where a vector of h finds its gate; its up lies HIDDEN further.
__device__ __forceinline__ long long gateOf(long long vector) { return (vector + vector / (HIDDEN / VECTOR) * (HIDDEN / VECTOR)) * VECTOR; }

extern "C" __global__ void __launch_bounds__(THREADS) swiglu_forward(const Bits* gateUp, Bits* h, long long vectors) {
  letNextBegin();
  awaitPrevious();
  long long vector = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (vector >= vectors) {
    return;
  }
  float gate[VECTOR];
  float up[VECTOR];
  const Bits* from = gateUp + gateOf(vector);
  Vector::load(from).widen(gate);
  Vector::load(from + HIDDEN).widen(up);
#pragma unroll
  for (int i = 0; i < VECTOR; i++) {
    up[i] *= gate[i] * sigmoid(gate[i]);
  }
  Vector::narrow(up).store(h + vector * VECTOR);
}

extern "C" __global__ void __launch_bounds__(THREADS) swiglu_backward(const Bits* gateUp, const Bits* dh, Bits* dGateUp,
    long long vectors) {
  long long vector = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (vector >= vectors) {
    return;
  }
  float gate[VECTOR];
  float up[VECTOR];
  float upstream[VECTOR];
  const Bits* from = gateUp + gateOf(vector);
  Vector::load(from).widen(gate);
  Vector::load(from + HIDDEN).widen(up);
  Vector::load(dh + vector * VECTOR).widen(upstream);
#pragma unroll
  for (int i = 0; i < VECTOR; i++) {
    float s = sigmoid(gate[i]);
    float scaled = upstream[i] * s;
    float slope = scaled * (1 + gate[i] * (1 - s));
    gate[i] *= scaled;
    up[i] *= slope;
  }
  Bits* to = dGateUp + gateOf(vector);
  Vector::narrow(up).store(to);
  Vector::narrow(gate).store(to + HIDDEN);
}
