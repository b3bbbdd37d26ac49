package dev.walsh.tensor;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.jspecify.annotations.Nullable;

/**
 * A region of code at whose end every native object made in it is freed, unless it escaped. Open one a step, a token or an evaluation
 * batch: native memory does not count against the Java heap, so the garbage collector alone would let it grow without bound.
 *
 * <p>Scopes nest and belong to the thread that opened them. Objects made outside every scope live until closed or collected; that is where
 * weights and moments belong.
 */
public final class Scope implements AutoCloseable {
  private final PointerScope pointers = new PointerScope();
  private final @Nullable NoGradGuard noGrad;

  private Scope(boolean gradients) {
    noGrad = gradients ? null : new NoGradGuard();
  }

  /** A scope that leaves the recording of gradients as it is. */
  public static Scope open() {
    return new Scope(true);
  }

  /** A scope in which no operation is recorded for a backward pass. */
  public static Scope withoutGradients() {
    return new Scope(false);
  }

  /** Hands an object over to the enclosing scope, or out of all scopes if there is none; returns it. */
  public <P extends Pointer> P escape(P object) {
    var scopes = PointerScope.getScopeIterator();
    if (scopes == null || scopes.next() != pointers) throw new IllegalStateException("only the innermost scope of a thread can let go");
    if (!scopes.hasNext()) return keep(object);
    scopes.next().attach(object);
    return object;
  }

  /** Takes an object out of all scopes, to live until it is closed or collected; returns it. */
  public <P extends Pointer> P keep(P object) {
    return object.retainReference();
  }

  @Override
  public void close() {
    if (noGrad != null) noGrad.close();
    pointers.close();
  }
}
