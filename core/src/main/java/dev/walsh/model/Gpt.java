package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.nn.CrossEntropy;
import dev.walsh.kernels.nn.Embedding;
import dev.walsh.kernels.nn.Int8Matrix;
import dev.walsh.kernels.nn.Linear;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Fallback;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A GPT: pre-norm RMSNorm, RoPE, SwiGLU, no biases, tied embeddings, and a choice of attention and of its output projection. */
public final class Gpt {
  /** The name of the attention's share in {@link #costs}. */
  public static final String ATTENTION = "attention";

  private final ModelConfig config;
  private final Kernels kernels;
  private final Device device;
  private final Dtype dtype;
  private final Rope rope;
  private final Tensor embedding;
  private final List<Block> blocks = new ArrayList<>();
  private final Tensor finalGain;
  // The norm after the embedding, which no join ends in.
  private final @Nullable CudaJoin cudaNorm;

  /** Makes the weights of a model in {@code weights}. */
  public Gpt(ModelConfig config, Weights weights) {
    this(config, weights, Kernels.FUSED);
  }

  /** Makes the weights of a model in {@code weights}; it computes the same with other kernels, but for rounding. */
  public Gpt(ModelConfig config, Weights weights, Kernels kernels) {
    this.config = config;
    this.kernels = kernels;
    device = weights.device();
    dtype = weights.dtype();
    try (var together = weights.together()) {
      embedding = weights.at("embed").normal("weight", Init.DEVIATION, config.paddedVocabulary(), config.width());
      rope = new Rope(config.context(), config.headWidth(), ModelConfig.ROPE_BASE, weights.at("rope"));
      var attentions = Attention.layers(config, rope, weights, kernels);
      for (int i = 0; i < config.layers(); i++) {
        int layer = i;
        blocks.add(new Block(config, path -> attentions.at(layer, path), weights.at("h").at(Integer.toString(i)), kernels));
      }
      boolean hasKernel = kernels != Kernels.PLAIN && weights.device() == Device.CUDA && weights.dtype() != Dtype.F64;
      cudaNorm = hasKernel ? Fallback.orNone("Joins", () -> CudaJoin.identity(config.width(), false, false, weights.dtype())) : null;
      finalGain = weights.at("norm").constant("gain", 1, config.width());
    }
  }

  public ModelConfig config() {
    return config;
  }

  /** Where the model's weights are. */
  public Device device() {
    return device;
  }

  /** What the model computes in. */
  public Dtype dtype() {
    return dtype;
  }

  Rope rope() {
    return rope;
  }

  Attention attention(int layer) {
    return blocks.get(layer).attention();
  }

  /** The number of trainable scalars of a model, which is not made. */
  public static long parameters(ModelConfig config) {
    var weights = new Weights(Device.META, Dtype.F32, 0);
    var unused = new Gpt(config, weights);
    long count = weights.elements();
    weights.close();
    return count;
  }

  /** ids: (B,T) int64 -> (B,T,C), after the last norm. */
  public Tensor hidden(Tensor ids) {
    return through(ids, (i, stream) -> blocks.get(i).apply(stream, gainAfter(i)));
  }

  /** New tokens of sequences that are remembered; ids: (N) int64, in the order of the pass -> (N,C), after the last norm. */
  public Tensor hidden(Tensor ids, DecodeState.Pass pass) {
    return through(ids, (i, stream) -> blocks.get(i).apply(stream, gainAfter(i), pass, i));
  }

  /** What each layer's attention reads, the normed stream: (B,T,C) each. ids: (B,T) int64. */
  public List<Tensor> attentionInputs(Tensor ids) {
    var inputs = new ArrayList<Tensor>();
    var stream = firstNorm(rows(ids), blocks.getFirst().gain());
    inputs.add(stream.normed());
    for (int i = 0; i + 1 < blocks.size(); i++) {
      stream = blocks.get(i).apply(stream, gainAfter(i));
      inputs.add(stream.normed());
    }
    return inputs;
  }

  /** The attention of a layer, without its output projection. n: (B,T,C) -> the concatenated heads (B,T,C). */
  public Tensor attend(int layer, Tensor n) {
    return attention(layer).apply(n);
  }

  /** The loss where one layer attends as that of another model of the same shape does. ids, targets: (B,T) int64 -> scalar. */
  public Tensor loss(Tensor ids, Tensor targets, int replaced, Gpt other) {
    return lossOf(through(ids, (i, stream) -> i == replaced
        ? blocks.get(i).apply(stream, gainAfter(i), other.attention(i))
        : blocks.get(i).apply(stream, gainAfter(i))), targets);
  }

  /** Whether a weight is one of a layer's feature maps. */
  public boolean isFeatureMap(String weight, int layer) {
    return weight.startsWith("h." + layer + ".attn." + HlaAttention.MAPS + ".");
  }

  /** How a layer goes on with the stream. */
  @FunctionalInterface
  private interface Layer {
    Joined apply(int index, Joined stream);
  }

  private Tensor through(Tensor ids, Layer layer) {
    var x = rows(ids);
    var stream = firstNorm(x, blocks.getFirst().gain());
    for (int i = 0; i < blocks.size(); i++) stream = GradMode.is_enabled() ? layer.apply(i, stream) : alone(layer, i, stream);
    return stream.normed();
  }

  /** Backward reads what layers leave behind; where there is none, a layer's memory is the next one's. */
  private static Joined alone(Layer layer, int index, Joined in) {
    try (var scope = Scope.open()) {
      var out = layer.apply(index, in);
      in.normed().close();
      if (out.residual() != in.residual()) in.residual().close();
      return new Joined(scope.escape(out.residual()), scope.escape(out.normed()), out.normedAgain());
    }
  }

  private Tensor rows(Tensor ids) {
    if (Int8Matrix.is(embedding)) return Int8Matrix.rows(embedding, ids, config.width(), dtype);
    return kernels == Kernels.PLAIN ? Embedding.plain(embedding, ids) : Embedding.apply(embedding, ids);
  }

  /** The gain of the norm after a block. */
  private Tensor gainAfter(int block) {
    return block + 1 < blocks.size() ? blocks.get(block + 1).gain() : finalGain;
  }

  private Joined firstNorm(Tensor x, Tensor gain) {
    return cudaNorm == null ? Norm.join(x, gain) : cudaNorm.norm(x, gain);
  }

  /** hidden: (…,C) -> (…,V), with the padding of the vocabulary; in float32 where {@link Linear#wide} has them so. */
  public Tensor logits(Tensor hidden) {
    return kernels == Kernels.PLAIN ? Linear.plain(hidden, embedding) : Linear.wide(hidden, embedding);
  }

  /** The mean cross-entropy in nats a token. ids, targets: (B,T) int64 -> scalar, float32 or wider. */
  public Tensor loss(Tensor ids, Tensor targets) {
    return lossOf(hidden(ids), targets);
  }

  private Tensor lossOf(Tensor hidden, Tensor targets) {
    var head = Int8Matrix.is(embedding) ? Int8Matrix.unpack(embedding, config.width(), dtype) : embedding;
    return kernels == Kernels.PLAIN
        ? CrossEntropy.plain(hidden, head, targets)
        : CrossEntropy.apply(hidden, head, targets);
  }

  /** What each part costs a token, in sequences of {@code length}, in the order in which data passes. */
  public Map<String, Cost> costs(int length) {
    var costs = new LinkedHashMap<String, Cost>();
    var embeddingCost = Cost.matrix(config.width(), config.paddedVocabulary());
    costs.put(ATTENTION, sum(b -> b.attentionCost(length)));
    costs.put("mlp", sum(Block::mlpCost));
    costs.put("final norm", Norm.cost(config.width()).keeping(config.width()));
    // The loss reads the logits and leaves their gradient; the embedding's rows are gathered, normed, and their gradient added up. Kept are
    // those rows and the gradient that the loss takes to the last norm.
    costs.put("embedding and head", new Cost(embeddingCost.parameters(), embeddingCost.forward(), embeddingCost.backward(),
        2.0 * config.width(), 2.0 * config.paddedVocabulary() + 9.0 * config.width()));
    return costs;
  }

  /** What the attention output projections cost a token; a share of the attention in {@link #costs}. */
  public Cost outputProjectionCost() {
    return sum(Block::outputProjectionCost);
  }

  /** What the whole model costs a token, in sequences of {@code length}. */
  public Cost cost(int length) {
    return costs(length).values().stream().reduce(Cost.NOTHING, Cost::plus);
  }

  private Cost sum(Function<Block, Cost> part) {
    return blocks.stream().map(part).reduce(Cost.NOTHING, Cost::plus);
  }
}
