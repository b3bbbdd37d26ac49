package dev.walsh.cli;

import dev.walsh.config.Projection;
import dev.walsh.study.Arm;
import java.util.Iterator;

/** The names of arms as help lists them. */
final class ArmNames implements Iterable<String> {
  /** What they mean, for the end of a command's help. */
  static final String HELP = """
      hadamard-folded is the same function as hadamard, trained in other parameters; signed-hadamard has fixed random signs before it;
      padded-hadamard fills up to a power of two and cuts off again. block-diagonal and low-rank learn a quarter of the dense matrix.
      identity-query is dense without W_Q. reinvest-width and reinvest-depth spend what hadamard saves on a wider MLP or on layers;
      dense-small has the parameters of hadamard. There is """ + " " + Projection.DEVIATIONS + ".";

  @Override
  public Iterator<String> iterator() {
    return Arm.names().iterator();
  }
}
