// softplus and its derivative, of few instructions: errors are below 1e-4 of the value, so that what is rounded to bf16 rarely differs.
// Values below 1e-38 are zero; what is no number remains none. And what a row of features, none of which is negative, is divided by at least.

__device__ __forceinline__ float powerOfTwo(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float logarithm(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return 0.6931472f * y;
}

__device__ __forceinline__ float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// No row of positive features is without weight, but all of one may round to zero.
constexpr float TINY = 1e-30f;

// From here on softplus is the identity, and e is finite well beyond.
constexpr float LINEAR = 20;

__device__ __forceinline__ float exponential(float u) { return powerOfTwo(1.4426950f * u); }

// softplus(u), of e = exp(u): where the sum of 1 and e would lose the digits of e, its series, of which the third term is e² / 3 of it. All that is
// chosen from is computed, since a branch is dearer.
__device__ __forceinline__ float softplusOf(float u, float e) {
  float series = e - 0.5f * e * e;
  float sum = logarithm(1 + e);
  float curved = e < 0.01f ? series : sum;
  return u > LINEAR ? u : curved;
}

__device__ __forceinline__ float softplus(float u) { return softplusOf(u, exponential(u)); }

__device__ __forceinline__ float sigmoid(float u) { return reciprocal(1 + exponential(-u)); }

struct Curve {
  float value;
  float slope;
};

// Both, of one exponential.
__device__ __forceinline__ Curve softplusWithSlope(float u) {
  float e = exponential(u > LINEAR ? LINEAR : u);
  return {softplusOf(u, e), e * reciprocal(1 + e)};
}
