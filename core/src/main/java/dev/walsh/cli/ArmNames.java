package dev.walsh.cli;

import dev.walsh.study.Arm;
import java.util.Iterator;

/** The names of arms as help lists them. */
final class ArmNames implements Iterable<String> {
  /** What they mean, for the end of a command's help. */
  static final String HELP = "hadamard-folded is the same function as hadamard, trained in other parameters; signed-hadamard has fixed "
      + "random signs before the transform; padded-hadamard fills rows up to a power of two and cuts them off again; block-diagonal and "
      + "low-rank learn a quarter of the dense matrix; identity-query is dense without W_Q; reinvest-width and reinvest-depth are hadamard "
      + "with what it saves spent on a wider MLP or on more layers; dense-small has the parameters of hadamard; hla is Hadamard linear "
      + "attention, katharopoulos, cosformer and based are its controls, and softmax is dense. In names, "
      + Arm.VARIATIONS + ".";

  @Override
  public Iterator<String> iterator() {
    return Arm.names().iterator();
  }
}
