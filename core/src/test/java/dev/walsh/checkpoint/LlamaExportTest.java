package dev.walsh.checkpoint;

import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.model.Folding;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.train.TinyRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

final class LlamaExportTest {
  @TempDir
  static Path shared;

  @TempDir
  Path temp;

  private static SavedModel train(Projection projection) {
    return train(TinyRun.MODEL.with(projection));
  }

  private static SavedModel train(ModelConfig config) {
    var name = config.attentionInWords().replace(':', '-');
    var run = Files.exists(shared.resolve(name)) ? shared.resolve(name) : TinyRun.train(shared, name, config);
    return SavedModel.find(run, new Choice.Latest(), _ -> {});
  }

  @ParameterizedTest
  @CsvSource({"DENSE,false,false", "DENSE,true,true", "HADAMARD,true,true", "HADAMARD,false,true", "HADAMARD_FOLDED,true,true",
      "IDENTITY,true,true",
      "IDENTITY,true,false"})
  void anotherLlamaGivesTheSameLogits(Projection.Mix mix, boolean alpha, boolean beta) throws IOException {
    compareWithAnotherLlama(train(new Projection(mix, alpha, beta)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"signed-hadamard", "random-orthogonal", "random-orthogonal-alpha-beta", "padded-hadamard", "block-diagonal:2",
      "low-rank:5", "low-rank:5+alpha+beta", "hadamard@alpha=1"})
  void soItDoesOfTheOtherArms(String projection) throws IOException {
    compareWithAnotherLlama(train(Projection.named(projection)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"dense", "hadamard", "hadamard-folded"})
  void soItDoesWhereQueriesAreTheStream(String projection) throws IOException {
    compareWithAnotherLlama(train(TinyRun.MODEL.with(Projection.named(projection)).with(Query.IDENTITY)));
  }

  private void compareWithAnotherLlama(SavedModel model) throws IOException {
    var ids = new Random(1).ints(TinyRun.MODEL.context(), 0, TinyRun.MODEL.vocabulary()).toArray();
    var ours = logits(model, ids);
    assertThat(spread(ours)).isGreaterThan(1);

    LlamaExport.write(model, temp.resolve("f32"), Dtype.F32);
    assertThat(distance(new LlamaReference(temp.resolve("f32")).logits(ids), ours)).isLessThan(1e-5);
    LlamaExport.write(model, temp.resolve("bf16"), Dtype.BF16);
    assertThat(distance(new LlamaReference(temp.resolve("bf16")).logits(ids), ours)).isBetween(1e-5, 0.02 * spread(ours));
  }

  /** As the model itself computes them, in float64. */
  private static double[][] logits(SavedModel model, int[] ids) {
    try (var loaded = model.load(Device.CPU, Dtype.F64); var scope = Scope.withoutGradients()) {
      var tokens = new long[ids.length];
      for (int i = 0; i < ids.length; i++) tokens[i] = ids[i];
      var tensor = loaded.model().logits(loaded.model().hidden(Memory.tensor(tokens, 1, ids.length))).contiguous();
      var flat = Memory.of(tensor).toArray(JAVA_DOUBLE);
      int columns = flat.length / ids.length;
      var rows = new double[ids.length][columns];
      for (int t = 0; t < ids.length; t++) System.arraycopy(flat, t * columns, rows[t], 0, columns);
      return rows;
    }
  }

  private static double distance(double[][] a, double[][] b) {
    assertThat(a).hasDimensions(b.length, b[0].length);
    double distance = 0;
    for (int t = 0; t < a.length; t++) {
      for (int i = 0; i < a[t].length; i++) distance = Math.max(distance, Math.abs(a[t][i] - b[t][i]));
    }
    return distance;
  }

  private static double spread(double[][] logits) {
    return distance(logits, new double[logits.length][logits[0].length]);
  }

  @Test
  void theFilesSayWhatTheyAre() throws IOException {
    var model = train(Projection.named("hadamard"));
    var out = temp.resolve("llama");
    LlamaExport.write(model, out, Dtype.BF16);
    assertThat(out).isDirectoryContaining("glob:**/config.json").isDirectoryContaining("glob:**/generation_config.json");
    var config = Json.LINE.readTree(Files.readString(out.resolve("config.json")));
    assertThat(config.get("architectures").get(0).asString()).isEqualTo("LlamaForCausalLM");
    assertThat(config.get("model_type").asString()).isEqualTo("llama");
    assertThat(config.get("torch_dtype").asString()).isEqualTo("bfloat16");
    assertThat(config.get("vocab_size").asInt()).isEqualTo(320);
    assertThat(config.get("intermediate_size").asInt()).isEqualTo(40);
    assertThat(config.get("max_position_embeddings").asInt()).isEqualTo(16);
    assertThat(config.get("rms_norm_eps").asDouble()).isEqualTo(1e-5);
    assertThat(config.get("attention_bias").asBoolean()).isTrue();
    assertThat(config.get("mlp_bias").asBoolean()).isFalse();
    assertThat(config.get("eos_token_id").asInt()).isEqualTo(256);
    var padding = Json.LINE.readTree(Files.readString(out.resolve("generation_config.json"))).get("suppress_tokens");
    assertThat(padding).hasSize(63);
    assertThat(padding.get(0).asInt()).isEqualTo(257);
    try (var tensors = Safetensors.open(out.resolve("model.safetensors"))) {
      assertThat(tensors.metadata()).containsEntry("format", "pt");
      assertThat(tensors.tensors()).hasSize(2 + 2 * 13).doesNotContainKey("lm_head.weight");
      assertThat(tensors.tensors().values()).allMatch(tensor -> Dtype.of(tensor) == Dtype.BF16);
      assertThat(tensors.tensor("model.layers.1.self_attn.k_proj.bias").abs().max().item_double()).isZero();
      assertThat(tensors.tensor("model.layers.1.self_attn.o_proj.weight").shape()).containsExactly(24, 24);
    }
  }

  @Test
  void theWrittenMatrixIsDiagAlphaTimesTheTransposeOfH() throws IOException {
    var model = train(Projection.named("hadamard"));
    LlamaExport.write(model, temp.resolve("llama"), Dtype.F32);
    int d = TinyRun.MODEL.width();
    var h = HadamardFactors.of(d, TinyRun.MODEL.heads()).dense();
    try (var ours = model.weights(); var theirs = Safetensors.open(temp.resolve("llama/model.safetensors"))) {
      var alpha = Memory.of(ours.tensor("h.0.attn.out.alpha"));
      var written = Memory.of(theirs.tensor("model.layers.0.self_attn.o_proj.weight"));
      for (int out = 0; out < d; out++) {
        for (int in = 0; in < d; in++) {
          float wanted = (float) (alpha.getAtIndex(JAVA_FLOAT, out) * h[in * d + out]);
          assertThat(written.getAtIndex(JAVA_FLOAT, out * d + in)).isEqualTo(wanted, offset(0f));
        }
      }
    }
  }

  @Test
  void aFoldedModelIsWrittenInFullForm() throws IOException {
    var model = train(Projection.named("hadamard-folded"));
    LlamaExport.write(model, temp.resolve("llama"), Dtype.F32);
    int d = TinyRun.MODEL.width();
    try (var ours = model.weights(); var theirs = Safetensors.open(temp.resolve("llama/model.safetensors"))) {
      var values = theirs.tensor("model.layers.0.self_attn.v_proj.weight");
      var full = new Folding(model.state().model()).unfold(ours.tensor("h.0.attn.qkv.weight")).narrow(0, 2 * d, d);
      assertThat(values.equal(full)).isTrue();
      assertThat(values.equal(ours.tensor("h.0.attn.qkv.weight").narrow(0, 2 * d, d))).isFalse();
    }
  }

  @Test
  void anExistingFolderIsNotTouched() throws IOException {
    var model = train(Projection.named("identity"));
    var mine = Files.createDirectory(temp.resolve("mine"));
    assertThatThrownBy(() -> LlamaExport.write(model, mine, Dtype.F32)).isInstanceOf(UserError.class).hasMessageContaining(
        "exists already; choose another name");
    assertThat(mine).isEmptyDirectory();
    assertThat(temp).isDirectoryNotContaining("glob:**.tmp");
  }
}
