package dev.walsh.kernels.nn;

import org.bytedeco.pytorch.Tensor;

/**
 * The keys and values of one layer that are kept for later tokens, in pages of P tokens: token t of a page that begins at row r lies in row
 * r + t. Keys are rotated already.
 *
 * @param keys (pages,P,H,D), contiguous
 * @param values (pages,P,H,D), contiguous
 */
public record KvLayer(Tensor keys, Tensor values) {
  /** P. */
  public int pageTokens() {
    return (int) keys.size(1);
  }

  /** keys or values -> (pages·P,H,D), a view. */
  Tensor rows(Tensor pages) {
    return pages.view(-1, pages.size(2), pages.size(3));
  }
}
