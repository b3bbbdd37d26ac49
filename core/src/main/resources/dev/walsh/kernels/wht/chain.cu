// The order of kernels that are launched early, each while the one before it may still be at work (programmatic dependent launch, from
// compute capability 9.0 on). Such a kernel lets the next one begin, reads what no kernel of the chain writes, and waits for the one before
// it; everything else it reads or writes after that. Since each waits, whatever came earlier has ended then, too. Where the launch was an
// ordinary one, neither does anything.

__device__ __forceinline__ void letNextBegin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

__device__ __forceinline__ void awaitPrevious() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
