// softplus and its derivative, of few instructions: errors are below 1e-4 of the value, so that what is rounded to bf16 rarely differs.
// Values below 1e-38 are zero; what is no number remains none.

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

// From here on softplus is the identity, and e is finite well beyond.
constexpr float LINEAR = 20;

__device__ __forceinline__ float exponential(float u) { return powerOfTwo(1.4426950f * u); }

// log(1 + e), where the sum of 1 and a small e would lose its digits by the series: whose third term is below e² / 3 of it.
__device__ __forceinline__ float logarithmOfOneAnd(float e) { return e < 0.01f ? e - 0.5f * e * e : logarithm(1 + e); }

__device__ __forceinline__ float softplus(float u) { return u > LINEAR ? u : logarithmOfOneAnd(exponential(u)); }

__device__ __forceinline__ float sigmoid(float u) { return reciprocal(1 + exponential(-u)); }

struct Curve {
  float value;
  float slope;
};

// Both, of one exponential.
__device__ __forceinline__ Curve softplusWithSlope(float u) {
  float e = exponential(u > LINEAR ? LINEAR : u);
  return {u > LINEAR ? u : logarithmOfOneAnd(e), e * reciprocal(1 + e)};
}
