package dev.walsh.config;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import dev.walsh.config.Projection.Mix;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import tools.jackson.core.JacksonException;

/**
 * The shape of a GPT: pre-norm RMSNorm, RoPE, SwiGLU, no biases, tied embeddings.
 *
 * @param layers number of blocks
 * @param width channels of the residual stream, d
 * @param heads attention heads; each has width / heads channels
 * @param hidden width of the MLP
 * @param context the longest sequence trained on, in tokens
 * @param vocabulary number of token ids of the tokenizer; the embedding has {@link #paddedVocabulary()} rows
 * @param projection the attention output projection
 * @param query what the queries of attention are; learned where a file does not say
 * @param attention by what tokens weigh one another, in all layers or each; softmax where a file does not say, and files say nothing where it is softmax
 */
public record ModelConfig(int layers, int width, int heads, int hidden, int context, int vocabulary, Projection projection, Query query,
    @JsonInclude(value = JsonInclude.Include.CUSTOM, valueFilter = AttentionKind.Softmax.class) AttentionKind attention) {
  /** What a head's queries are made of. */
  public enum Query {
    /** A learned matrix of the normed residual stream, as in every transformer. */
    LEARNED,
    /** The normed residual stream itself: the control that saves as many parameters as a fixed output projection does, elsewhere. */
    IDENTITY;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** The epsilon inside RMSNorm's root. */
  public static final double NORM_EPSILON = 1e-5;
  /** The base of RoPE's wavelengths. */
  public static final double ROPE_BASE = 10_000;
  private static final int GPT2_VOCABULARY = 50_257;
  private static final int BYTE_VOCABULARY = 257;
  private static final Map<String, ModelConfig> PRESETS = presets();

  public ModelConfig {
    query = query == null ? Query.LEARNED : query;
    attention = attention == null ? new AttentionKind.Softmax() : attention;
    positive("layers", layers);
    positive("width", width);
    positive("heads", heads);
    positive("hidden", hidden);
    positive("context", context);
    positive("vocabulary", vocabulary);
    if (width % heads != 0) {
      throw new UserError("heads = " + heads + " does not divide width = " + width + "; use a number of heads that does, such as "
          + nearestDivisor(width, heads));
    }
    if (width / heads % 2 != 0) {
      throw new UserError(
          "width / heads = " + width / heads + " is odd, but RoPE rotates pairs of channels; change width or heads so that it is even");
    }
    if (attention instanceof AttentionKind.ByLayer byLayer && byLayer.layers().size() != layers) {
      throw new UserError("attention names " + byLayer.layers().size() + " layers (" + byLayer.name() + "), but the model has " + layers
          + "; name as many");
    }
    checkSize(projection, width, heads);
  }

  /** A model with learned queries and softmax attention. */
  public ModelConfig(int layers, int width, int heads, int hidden, int context, int vocabulary, Projection projection) {
    this(layers, width, heads, hidden, context, vocabulary, projection, Query.LEARNED, new AttentionKind.Softmax());
  }

  private static void checkSize(Projection projection, int width, int heads) {
    if (projection.mix() == Mix.BLOCK_DIAGONAL && heads % projection.sizeAt(width) != 0) {
      int blocks = projection.sizeAt(width);
      throw new UserError(projection + " has " + blocks + " blocks of whole heads, which do not divide the " + heads
          + " heads; use a number of blocks that does, such as block-diagonal:" + nearestDivisor(heads, blocks));
    }
    if (projection.mix() == Mix.LOW_RANK && projection.sizeAt(width) > width) {
      throw new UserError(projection + " has a rank greater than the width of " + width + "; use a smaller one");
    }
  }

  private static void positive(String name, int value) {
    if (value <= 0) throw new UserError("the model's " + name + " is " + value + "; it must be positive");
  }

  private static int nearestDivisor(int of, int wanted) {
    for (int away = 1;; away++) {
      if (wanted - away > 0 && of % (wanted - away) == 0) return wanted - away;
      if (of % (wanted + away) == 0) return wanted + away;
    }
  }

  private static Map<String, ModelConfig> presets() {
    var presets = new LinkedHashMap<String, ModelConfig>();
    presets.put("nano", dense(4, 256, 4, 256, BYTE_VOCABULARY));
    presets.put("124M", dense(12, 768, 12, 1024, GPT2_VOCABULARY));
    presets.put("354M", dense(24, 1024, 16, 1024, GPT2_VOCABULARY));
    presets.put("757M", dense(24, 1536, 16, 1024, GPT2_VOCABULARY));
    presets.put("1.7B", dense(32, 2048, 16, 1024, GPT2_VOCABULARY));
    presets.put("2.6B", dense(32, 2560, 20, 1024, GPT2_VOCABULARY));
    presets.put("3.9B", dense(48, 2560, 20, 1024, GPT2_VOCABULARY));
    presets.put("5.6B", dense(48, 3072, 24, 1024, GPT2_VOCABULARY));
    return presets;
  }

  private static ModelConfig dense(int layers, int width, int heads, int context, int vocabulary) {
    return new ModelConfig(layers, width, heads, defaultHidden(width), context, vocabulary, Projection.named("dense"));
  }

  /** SwiGLU's usual hidden width: 8/3 of the model's, rounded up to a multiple of 64. */
  public static int defaultHidden(int width) {
    return Math.ceilDiv(8 * width, 3 * 64) * 64;
  }

  /** The number of heads of the presets of a width; 0 where none is as wide. */
  public static int usualHeads(int width) {
    return PRESETS.values().stream().filter(preset -> preset.width == width).mapToInt(ModelConfig::heads).findFirst().orElse(0);
  }

  /** Reads a preset's name or the path of a JSON file with this record's fields. */
  public static ModelConfig parse(String presetOrFile) {
    var preset = PRESETS.get(presetOrFile);
    if (preset != null) return preset;
    if (!presetOrFile.endsWith(".json")) {
      throw new UserError(
          "the model '" + presetOrFile + "' is unknown; use one of " + String.join(", ", PRESETS.keySet()) + " or a .json file");
    }
    var file = Path.of(presetOrFile);
    if (!Files.isRegularFile(file)) throw new UserError("the model file " + file + " does not exist");
    try {
      return Json.PRETTY.readValue(file.toFile(), ModelConfig.class);
    } catch (JacksonException e) {
      throw new UserError(file + " " + JsonMistake.of(e), e);
    }
  }

  @JsonIgnore
  public int headWidth() {
    return width / heads;
  }

  /** By what tokens weigh one another in a layer, counted from 0. */
  public AttentionKind attention(int layer) {
    return attention instanceof AttentionKind.ByLayer(var kinds) ? kinds.get(layer) : attention;
  }

  /** The layers of softmax attention, which remember all tokens. */
  public int softmaxLayers() {
    return (int) IntStream.range(0, layers).filter(layer -> attention(layer) instanceof AttentionKind.Softmax).count();
  }

  /** The most tokens that a text may have: the context, but no bound where attention knows none. */
  public int longest() {
    return attention.takesAnyLength() ? Integer.MAX_VALUE : context;
  }

  /** Rows of the embedding: the vocabulary rounded up to a multiple of 64, the shape that matrix units like. */
  @JsonIgnore
  public int paddedVocabulary() {
    return Math.ceilDiv(vocabulary, 64) * 64;
  }

  /** What attention is, for people: its output projection, its queries where they are not learned, and its weights where not softmax's. */
  @JsonIgnore
  public String attentionInWords() {
    return projection + (query == Query.LEARNED ? "" : " with queries that are the stream itself")
        + (attention instanceof AttentionKind.Softmax ? "" : ", " + attention);
  }

  public ModelConfig with(Projection projection) {
    return new ModelConfig(layers, width, heads, hidden, context, vocabulary, projection, query, attention);
  }

  public ModelConfig with(Query query) {
    return new ModelConfig(layers, width, heads, hidden, context, vocabulary, projection, query, attention);
  }

  public ModelConfig with(AttentionKind attention) {
    return new ModelConfig(layers, width, heads, hidden, context, vocabulary, projection, query, attention);
  }

  public ModelConfig withLayers(int layers) {
    return new ModelConfig(layers, width, heads, hidden, context, vocabulary, projection, query, attention);
  }

  public ModelConfig withHidden(int hidden) {
    return new ModelConfig(layers, width, heads, hidden, context, vocabulary, projection, query, attention);
  }

  public ModelConfig withVocabulary(int vocabulary) {
    return new ModelConfig(layers, width, heads, hidden, context, vocabulary, projection, query, attention);
  }

  public ModelConfig withContext(int context) {
    return new ModelConfig(layers, width, heads, hidden, context, vocabulary, projection, query, attention);
  }
}
