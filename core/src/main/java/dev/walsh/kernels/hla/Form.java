package dev.walsh.kernels.hla;

/** The ways to compute one and the same attention. */
public enum Form {
  /** Plain loops in float64 over all pairs: what the others are tested against. */
  REFERENCE,
  /** All pairs of tokens, a block of queries at a time. */
  QUADRATIC,
  /** One sum over all keys, read by every query: bidirectional. */
  LINEAR,
  /** Pairs within a chunk, a running sum over the chunks before it: causal. */
  CHUNKED
}
