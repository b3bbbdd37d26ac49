// Blocks beside each other that run at once and read each other's shared memory: clusters, from compute capability 9.0 on.

// Until all threads of all blocks of the cluster have come here, and what they wrote to shared memory is seen.
__device__ __forceinline__ void awaitCluster() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive;\nbarrier.cluster.wait;" ::: "memory");
#endif
}

// What another block of the cluster has where this one has `own`.
__device__ __forceinline__ float peer(const float& own, int block) {
  float value = own;
#if __CUDA_ARCH__ >= 900
  unsigned at;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(at) : "r"((unsigned)__cvta_generic_to_shared(&own)), "r"(block));
  asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(value) : "r"(at) : "memory");
#endif
  return value;
}
