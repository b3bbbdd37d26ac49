package dev.walsh.tensor;

import java.util.List;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.Type;

/**
 * One of libtorch's operators that the bindings leave out (those whose names begin with an underscore), called through the dispatcher on a
 * stack of boxed values. A call costs about 7 µs.
 */
public final class BoxedOperator {
  private static final Type.TypePtr TENSOR = new Type.TypePtr(TensorType.get()).retainReference();

  private final OperatorHandle operator;
  private final long arity;

  /**
   * Finds an operator, which outlives every scope.
   *
   * @param name such as {@code aten::_fused_adamw_}
   * @param overload its variant, empty for the one without a name
   */
  public BoxedOperator(String name, String overload) {
    operator = Dispatcher.singleton().findSchemaOrThrow(name, overload).retainReference();
    arity = operator.schema().arguments().limit();
  }

  /** Runs the operator on exactly its arguments: too few would be read past the end of the stack. */
  public void call(IValue... arguments) {
    run(arguments);
  }

  /** Runs an operator whose one result is an int. */
  public long callForInt(IValue... arguments) {
    return run(arguments).get(0).toInt();
  }

  private IValueVector run(IValue... arguments) {
    if (arguments.length != arity) throw new IllegalArgumentException(arguments.length + " arguments for an operator of " + arity);
    var stack = new IValueVector(arguments);
    operator.callBoxed(stack);
    return stack;
  }

  /** A boxed list of tensors. */
  public static IValue list(List<Tensor> tensors) {
    var list = new GenericList(TENSOR);
    for (var t : tensors) list.push_back(new IValue(t));
    return new IValue(list);
  }
}
