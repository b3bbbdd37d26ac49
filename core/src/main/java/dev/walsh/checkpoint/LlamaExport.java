package dev.walsh.checkpoint;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.config.Projection.Mix;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.model.FixedMatrix;
import dev.walsh.model.Folding;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A model written in Hugging Face's Llama layout, which other programs run: the same function, with every output projection written out as
 * a matrix.
 *
 * <p>Llama's projections compute {@code W y + b}. Ours, {@code alpha ⊙ (y M) + beta} for a row y, is that with W = diag(alpha) Mᵀ and
 * b = beta. Llama has one flag for the biases of all four attention projections, so where there is a beta the other three are zeros.
 */
public final class LlamaExport {
  public static final String CONFIG = "config.json";
  public static final String GENERATION_CONFIG = "generation_config.json";

  private final ModelConfig config;
  private final Safetensors ours;
  private final Dtype dtype;
  private final Map<String, Tensor> theirs = new LinkedHashMap<>();

  private LlamaExport(ModelConfig config, Safetensors ours, Dtype dtype) {
    this.config = config;
    this.ours = ours;
    this.dtype = dtype;
  }

  /**
   * Writes a new folder, whole or not at all.
   *
   * @param dtype of the tensors, F32 or BF16
   * @throws UserError where the folder exists or cannot be written, or where attention is not softmax's
   */
  public static void write(SavedModel model, Path out, Dtype dtype) {
    if (dtype != Dtype.F32 && dtype != Dtype.BF16) throw new IllegalArgumentException("the layout is written in f32 or bf16, not " + dtype);
    var config = model.state().model();
    if (!(config.attention() instanceof AttentionKind.Softmax)) {
      throw new UserError("the model's attention is " + config.attention()
          + ", which Llama's layout has no place for; export a model with softmax attention");
    }
    Disk.refuseExisting(out);
    int endOfText = model.tokenizer().endOfText();
    try (var ours = model.weights(); var scope = Scope.withoutGradients()) {
      var export = new LlamaExport(config, ours, dtype);
      export.collect();
      AtomicFolder.write(out, folder -> {
        folder.json(CONFIG, LlamaConfig.of(config, dtype, endOfText));
        folder.json(GENERATION_CONFIG, new LlamaConfig.Generation(endOfText, endOfText,
            IntStream.range(config.vocabulary(), config.paddedVocabulary()).boxed().toList()));
        folder.tensors(RunState.WEIGHTS, export.theirs, Map.of("format", "pt"));
      });
    }
  }

  private void collect() {
    put("model.embed_tokens.weight", ours.tensor("embed.weight"));
    var mix = fixedMix();
    for (int i = 0; i < config.layers(); i++) layer("h." + i + ".", "model.layers." + i + ".", mix);
    put("model.norm.weight", ours.tensor("norm.gain"));
  }

  private void layer(String from, String to, @Nullable Tensor mix) {
    put(to + "input_layernorm.weight", ours.tensor(from + "attn_norm.gain"));
    var qkv = qkv(from + "attn.qkv.weight");
    int width = config.width();
    long keys = qkv.size(0) - 2L * width;
    put(to + "self_attn.q_proj.weight",
        config.query() == Query.LEARNED ? qkv.narrow(0, 0, width) : torch.eye(width, Device.CPU.options(Dtype.F32)));
    put(to + "self_attn.k_proj.weight", qkv.narrow(0, keys, width));
    put(to + "self_attn.v_proj.weight", qkv.narrow(0, keys + width, width));
    put(to + "self_attn.o_proj.weight", outputProjection(from + "attn.out.", mix));
    if (config.projection().beta()) {
      for (var name : new String[] {"q", "k", "v"}) put(to + "self_attn." + name + "_proj.bias", zeros(width));
      put(to + "self_attn.o_proj.bias", ours.tensor(from + "attn.out.beta"));
    }
    put(to + "post_attention_layernorm.weight", ours.tensor(from + "mlp_norm.gain"));
    var gateAndUp = ours.tensor(from + "mlp.gate_up.weight");
    put(to + "mlp.gate_proj.weight", gateAndUp.narrow(0, 0, config.hidden()));
    put(to + "mlp.up_proj.weight", gateAndUp.narrow(0, config.hidden(), config.hidden()));
    put(to + "mlp.down_proj.weight", ours.tensor(from + "mlp.down.weight"));
  }

  /** The weights of queries, keys and values; what other programs read is always the full form. */
  private Tensor qkv(String name) {
    var saved = ours.tensor(name);
    return config.projection().mix() == Mix.HADAMARD_FOLDED ? new Folding(config).unfold(saved) : saved;
  }

  /** diag(alpha) Mᵀ, (out,in), computed in float64. */
  private Tensor outputProjection(String from, @Nullable Tensor fixedMix) {
    var weight = fixedMix == null ? learnedMix(from) : fixedMix;
    if (!config.projection().alpha()) return weight;
    try (var scope = Scope.withoutGradients()) {
      var alpha = ours.tensor(from + "alpha").to(Dtype.F64.scalarType()).unsqueeze(1);
      return scope.escape(weight.to(Dtype.F64.scalarType()).mul(alpha).to(dtype.scalarType()));
    }
  }

  /** Mᵀ where M is made of weights; a product of two in float64. */
  private Tensor learnedMix(String from) {
    return switch (config.projection().mix()) {
      case BLOCK_DIAGONAL -> torch.block_diag(ours.tensor(from + "weight").unbind(0));
      case LOW_RANK -> torch.matmul(ours.tensor(from + "up.weight").to(Dtype.F64.scalarType()),
          ours.tensor(from + "down.weight").to(Dtype.F64.scalarType()));
      default -> ours.tensor(from + "weight");
    };
  }

  /** Mᵀ in float64 where M is no weight, and the same in every layer. */
  private @Nullable Tensor fixedMix() {
    return config.projection().mix().isLearned() ? null : FixedMatrix.of(config);
  }

  private static Tensor zeros(long size) {
    return torch.zeros(new long[] {size}, Device.CPU.options(Dtype.F32));
  }

  private void put(String name, Tensor tensor) {
    theirs.put(name, tensor.to(dtype.scalarType()));
  }
}
