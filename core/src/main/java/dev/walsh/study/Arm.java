package dev.walsh.study;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.model.Gpt;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * One of the models that are compared: a shape and a name that says what was made of it. Most names are those of output projections, or of
 * kinds of attention, or one of each, {@code hadamard+hla:2x16}; the others answer what else the parameters could have been saved on, or
 * spent on.
 *
 * <ul>
 * <li>{@code identity-query}: dense, with the normed stream itself for queries;
 * <li>{@code reinvest-width}: hadamard, with the parameters that it frees spent on a wider MLP;
 * <li>{@code reinvest-depth}: hadamard, with as many layers as bring its parameters nearest to those of dense;
 * <li>{@code dense-small}: dense, with a narrower MLP, so that it has the parameters of hadamard.
 * </ul>
 * MLPs change by multiples of eight channels, the granularity of matrix units; what is left over shows in the count of parameters.
 *
 * @param name what it is called in tables
 * @param model its shape
 */
public record Arm(String name, ModelConfig model) {
  /** The arm that all others are held against. */
  public static final String BASELINE = "dense";

  /** How {@link #names} are varied, for the end of a sentence that lists them. */
  public static final String VARIATIONS = Projection.VARIATIONS + "; " + AttentionKind.VARIATIONS
      + "; a projection and an attention are one arm as hadamard+hla:2x16";

  private static final String SOFTMAX = "softmax";
  private static final int GRAIN = 8;
  private static final Map<String, UnaryOperator<ModelConfig>> SHAPES = shapes();

  private static Map<String, UnaryOperator<ModelConfig>> shapes() {
    var shapes = new LinkedHashMap<String, UnaryOperator<ModelConfig>>();
    shapes.put("identity-query", base -> dense(base).with(Query.IDENTITY));
    shapes.put("reinvest-width", base -> hadamard(base).withHidden(hidden(base, 1)));
    shapes.put("reinvest-depth", Arm::deeper);
    shapes.put("dense-small", base -> dense(base).withHidden(hidden(base, -1)));
    return shapes;
  }

  /**
   * What a name makes of a shape, whose own output projection does not matter; its attention is that of the shape where the name does not say.
   * The arm has the shortest name of what it is: {@code softmax} of a shape of softmax attention is {@code dense}.
   *
   * @throws UserError for an unknown name, listing all, and for a shape that this arm cannot take
   */
  public static Arm named(ModelConfig base, String name) {
    int plus = name.lastIndexOf('+');
    var last = name.substring(plus + 1);
    if (!AttentionKind.isName(last)) return ofProjection(base, name);
    var kind = AttentionKind.named(last);
    var arm = ofProjection(base.with(kind), plus < 0 ? BASELINE : name.substring(0, plus));
    // Refuses factors whose state does not fit before anything is made.
    var unused = Gpt.parameters(arm.model);
    if (kind.equals(base.attention())) return arm;
    return new Arm(arm.name.equals(BASELINE) ? kind.name() : arm.name + "+" + kind.name(), arm.model);
  }

  private static Arm ofProjection(ModelConfig base, String name) {
    var shape = SHAPES.get(name);
    if (shape != null) return new Arm(name, shape.apply(base));
    if (!Projection.isName(name)) {
      throw new UserError("the arm '" + name + "' is unknown; use one of " + String.join(", ", names()) + "; " + VARIATIONS);
    }
    return new Arm(name, known(base.with(Projection.named(name))));
  }

  /** The names that {@link #named} takes, but for their {@link #VARIATIONS}. */
  public static List<String> names() {
    var names = new ArrayList<>(Projection.names());
    names.addAll(SHAPES.keySet());
    AttentionKind.names().stream().filter(name -> !name.equals(SOFTMAX)).forEach(names::add);
    return names;
  }

  /** The arms of a list of names, of one shape; the baseline comes first, whether named or not. */
  public static List<Arm> of(ModelConfig model, List<String> given) {
    var arms = new ArrayList<Arm>(given.stream().map(name -> named(model, name)).toList());
    var baseline = named(model, BASELINE);
    arms.remove(baseline);
    arms.addFirst(baseline);
    if (new HashSet<>(arms).size() < arms.size())
      throw new UserError("--arms names one arm twice: " + String.join(",", given) + "; name each once");
    return arms;
  }

  /** The name as that of a folder on any file system; two arms never share one. */
  public String folder() {
    return name.replace(':', '-');
  }

  private static ModelConfig dense(ModelConfig base) {
    return base.with(Projection.named(BASELINE));
  }

  private static ModelConfig hadamard(ModelConfig base) {
    return known(base.with(Projection.named("hadamard")));
  }

  /** Refuses a width without a Hadamard matrix before anything is made. */
  private static ModelConfig known(ModelConfig model) {
    var unused = HadamardFactors.of(model);
    return model;
  }

  /** The parameters that the Hadamard projection saves. */
  private static long freed(ModelConfig base) {
    return Gpt.parameters(dense(base)) - Gpt.parameters(hadamard(base));
  }

  /** The MLP's width after {@link #freed} is added to it, or taken from it where {@code sign} is −1. */
  private static int hidden(ModelConfig base, int sign) {
    long channel = Gpt.parameters(base.withHidden(base.hidden() + 1)) - Gpt.parameters(base);
    double wanted = base.hidden() + sign * (double) freed(base) / channel;
    int hidden = Math.toIntExact(GRAIN * Math.round(wanted / GRAIN));
    if (hidden < GRAIN) {
      throw new UserError("dense-small would leave the MLP of width " + base.hidden() + " nothing; use a model with a wider one");
    }
    return hidden;
  }

  private static ModelConfig deeper(ModelConfig base) {
    var model = hadamard(base);
    long layer = Gpt.parameters(model.withLayers(base.layers() + 1)) - Gpt.parameters(model);
    int more = Math.toIntExact(Math.round((double) freed(base) / layer));
    if (more == 0) {
      throw new UserError("reinvest-depth is hadamard itself here, since what " + base.layers()
          + " layers free is less than half of another; use a deeper model, or reinvest-width");
    }
    return model.withLayers(base.layers() + more);
  }
}
