// softplus, and what a row of features, none of which is negative, is divided by at least.

// No row of positive features is without weight, but all of one may round to zero.
constexpr float TINY = 1e-30f;

__device__ __forceinline__ float softplus(float u) { return u > 20 ? u : log1pf(__expf(u)); }
