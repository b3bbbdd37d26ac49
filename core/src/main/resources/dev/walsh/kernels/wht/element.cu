// The storage types of a row and vector access to them: F32, Bf16 and F16 as bit patterns, widened to float for all arithmetic. No CUDA
// header is needed. -DELEMENT names the type; -DVECTOR the elements (a power of two, 16 bytes at most) that one access moves: it divides
// the width and every row stride, and every pointer is aligned to VECTOR elements.

struct F32 {
  using Bits = float;
  using Unit = float;
  static constexpr int PER_UNIT = 1;
  static __device__ float widen(Bits bits) { return bits; }
  static __device__ Bits narrow(float value) { return value; }
};

// The upper half of a float. Rounds to nearest, ties to even.
struct Bf16 {
  using Bits = unsigned short;
  using Unit = unsigned;
  static constexpr int PER_UNIT = 2;
  static __device__ float widen(Bits bits) { return __uint_as_float((unsigned)bits << 16); }
  static __device__ void widen(Unit unit, float& low, float& high) {
    low = __uint_as_float(unit << 16);
    high = __uint_as_float(unit & 0xffff0000u);
  }
#if __CUDA_ARCH__ >= 800
  static __device__ Bits narrow(float value) {
    Bits bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
  }
  static __device__ Unit narrow(float low, float high) {
    Unit unit;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(unit) : "f"(high), "f"(low));
    return unit;
  }
#else
  static __device__ Bits narrow(float value) {
    unsigned bits = __float_as_uint(value);
    return value != value ? 0x7fff : (Bits)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
  static __device__ Unit narrow(float low, float high) { return narrow(low) | (Unit)narrow(high) << 16; }
#endif
};

// IEEE half precision. Rounds to nearest, ties to even.
struct F16 {
  using Bits = unsigned short;
  using Unit = unsigned;
  static constexpr int PER_UNIT = 2;
  static __device__ float widen(Bits bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
  }
  static __device__ void widen(Unit unit, float& low, float& high) {
    low = widen((Bits)(unit & 0xffff));
    high = widen((Bits)(unit >> 16));
  }
  static __device__ Bits narrow(float value) {
    Bits bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
  }
  static __device__ Unit narrow(float low, float high) { return narrow(low) | (Unit)narrow(high) << 16; }
};

using Bits = ELEMENT::Bits;

// A type where a condition holds, else another.
template <bool FIRST, class A, class B>
struct Either {
  using Type = A;
};
template <class A, class B>
struct Either<false, A, B> {
  using Type = B;
};

static_assert(VECTOR * sizeof(Bits) <= 16, "one access moves 16 bytes at most");
constexpr int PER_UNIT = VECTOR < ELEMENT::PER_UNIT ? 1 : ELEMENT::PER_UNIT;

// VECTOR neighbouring elements as they lie in memory: what one access moves, and how rows wait in registers.
struct alignas(VECTOR * sizeof(Bits)) Vector {
  using Unit = Either<PER_UNIT == 1, Bits, ELEMENT::Unit>::Type;

  Unit unit[VECTOR / PER_UNIT];

  static __device__ Vector zero() { return Vector{}; }

  static __device__ Vector load(const Bits* from) { return *reinterpret_cast<const Vector*>(from); }

  __device__ void store(Bits* to) const { *reinterpret_cast<Vector*>(to) = *this; }

  template <class E = ELEMENT>
  __device__ void widen(float* values) const {
#pragma unroll
    for (int i = 0; i < VECTOR / PER_UNIT; i++) {
      if constexpr (PER_UNIT == 2) {
        E::widen(unit[i], values[2 * i], values[2 * i + 1]);
      } else {
        values[i] = E::widen(unit[i]);
      }
    }
  }

  template <class E = ELEMENT>
  static __device__ Vector narrow(const float* values) {
    Vector vector;
#pragma unroll
    for (int i = 0; i < VECTOR / PER_UNIT; i++) {
      if constexpr (PER_UNIT == 2) {
        vector.unit[i] = E::narrow(values[2 * i], values[2 * i + 1]);
      } else {
        vector.unit[i] = E::narrow(values[i]);
      }
    }
    return vector;
  }

  // Copies a vector to shared memory in the background, or zeros where it is not present. See settle().
  static __device__ void fetch(Vector* to, const Bits* from, bool present) {
#if __CUDA_ARCH__ >= 800
    constexpr int BYTES = sizeof(Vector);
    if constexpr (BYTES >= 4) {
      asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from), "n"(BYTES),
          "r"(present ? BYTES : 0)
          : "memory");
      return;
    }
#endif
    *to = present ? load(from) : zero();
  }
};

// Ends a batch of fetches.
__device__ __forceinline__ void commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until all of this thread's batches but the latest PENDING are in shared memory, where this thread may read them.
template <int PENDING>
__device__ __forceinline__ void settle() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}
