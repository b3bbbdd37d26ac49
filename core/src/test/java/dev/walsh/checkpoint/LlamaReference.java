package dev.walsh.checkpoint;

import dev.walsh.config.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** A Llama of another make: plain loops in float64 over nothing but {@code config.json} and {@code model.safetensors}. */
final class LlamaReference {
  private final JsonNode config;
  private final Map<String, double[]> tensors = new HashMap<>();
  private final int width;
  private final int heads;
  private final int headWidth;

  LlamaReference(Path folder) throws IOException {
    config = Json.LINE.readTree(Files.readString(folder.resolve("config.json")));
    width = config.get("hidden_size").asInt();
    heads = config.get("num_attention_heads").asInt();
    headWidth = config.get("head_dim").asInt();
    if (config.get("num_key_value_heads").asInt() != heads || !config.get("hidden_act").asString().equals("silu"))
      throw new IllegalStateException("not the kind of Llama that this runs: " + config);
    var file = ByteBuffer.wrap(Files.readAllBytes(folder.resolve("model.safetensors"))).order(ByteOrder.LITTLE_ENDIAN);
    var header = new byte[(int) file.getLong()];
    file.get(header);
    var data = file.slice().order(ByteOrder.LITTLE_ENDIAN);
    Json.LINE.readTree(header).properties().forEach(entry -> {
      if (!entry.getKey().equals("__metadata__")) tensors.put(entry.getKey(), values(entry.getValue(), data));
    });
  }

  private static double[] values(JsonNode entry, ByteBuffer data) {
    int begin = entry.get("data_offsets").get(0).asInt();
    int end = entry.get("data_offsets").get(1).asInt();
    boolean wide = entry.get("dtype").asString().equals("F32");
    var values = new double[(end - begin) / (wide ? 4 : 2)];
    for (int i = 0; i < values.length; i++) {
      values[i] = wide ? data.getFloat(begin + 4 * i) : Float.intBitsToFloat(data.getShort(begin + 2 * i) << 16);
    }
    return values;
  }

  /** The logits after each token: (T,V). */
  double[][] logits(int[] ids) {
    var embedding = tensor("model.embed_tokens.weight");
    var x = new double[ids.length][width];
    for (int t = 0; t < ids.length; t++) System.arraycopy(embedding, ids[t] * width, x[t], 0, width);
    for (int layer = 0; layer < config.get("num_hidden_layers").asInt(); layer++) {
      var at = "model.layers." + layer + ".";
      add(x, attention(norm(x, at + "input_layernorm"), at + "self_attn."));
      add(x, mlp(norm(x, at + "post_attention_layernorm"), at + "mlp."));
    }
    if (!config.get("tie_word_embeddings").asBoolean()) throw new IllegalStateException("the head is not the embedding");
    return product(norm(x, "model.norm"), embedding, null);
  }

  private double[][] attention(double[][] n, String at) {
    boolean biased = config.get("attention_bias").asBoolean();
    var q = rotate(linear(n, at + "q_proj", biased));
    var k = rotate(linear(n, at + "k_proj", biased));
    var v = linear(n, at + "v_proj", biased);
    var y = new double[n.length][width];
    for (int head = 0; head < heads; head++) {
      for (int t = 0; t < n.length; t++) attend(q[t], k, v, t, head * headWidth, y[t]);
    }
    return linear(y, at + "o_proj", biased);
  }

  private void attend(double[] q, double[][] k, double[][] v, int now, int from, double[] y) {
    var weights = new double[now + 1];
    double total = 0;
    for (int s = 0; s <= now; s++) {
      double score = 0;
      for (int i = from; i < from + headWidth; i++) score += q[i] * k[s][i];
      weights[s] = Math.exp(score / Math.sqrt(headWidth));
      total += weights[s];
    }
    for (int s = 0; s <= now; s++) {
      for (int i = from; i < from + headWidth; i++) y[i] += weights[s] / total * v[s][i];
    }
  }

  /** Llama's "rotate half": channel i of a head turns with channel i + D/2. */
  private double[][] rotate(double[][] x) {
    double base = config.get("rope_theta").asDouble();
    int half = headWidth / 2;
    for (int t = 0; t < x.length; t++) {
      for (int c = 0; c < width; c++) {
        int i = c % headWidth;
        if (i >= half) continue;
        double angle = t * Math.pow(base, -2.0 * i / headWidth);
        double first = x[t][c];
        double second = x[t][c + half];
        x[t][c] = first * Math.cos(angle) - second * Math.sin(angle);
        x[t][c + half] = second * Math.cos(angle) + first * Math.sin(angle);
      }
    }
    return x;
  }

  private double[][] mlp(double[][] n, String at) {
    var gate = linear(n, at + "gate_proj", false);
    var up = linear(n, at + "up_proj", false);
    for (int t = 0; t < n.length; t++) {
      for (int i = 0; i < gate[t].length; i++) gate[t][i] = gate[t][i] / (1 + Math.exp(-gate[t][i])) * up[t][i];
    }
    return linear(gate, at + "down_proj", false);
  }

  private double[][] norm(double[][] x, String name) {
    var gain = tensor(name + ".weight");
    var n = new double[x.length][width];
    for (int t = 0; t < x.length; t++) {
      double squares = 0;
      for (double value : x[t]) squares += value * value;
      double scale = 1 / Math.sqrt(squares / width + config.get("rms_norm_eps").asDouble());
      for (int i = 0; i < width; i++) n[t][i] = x[t][i] * scale * gain[i];
    }
    return n;
  }

  private double[][] linear(double[][] x, String name, boolean biased) {
    return product(x, tensor(name + ".weight"), biased ? tensor(name + ".bias") : null);
  }

  /** x Wᵀ + b, with W of shape (out, in). */
  private static double[][] product(double[][] x, double[] weight, double @Nullable [] bias) {
    int in = x[0].length;
    int out = weight.length / in;
    var y = new double[x.length][out];
    for (int t = 0; t < x.length; t++) {
      for (int o = 0; o < out; o++) {
        double sum = bias == null ? 0 : bias[o];
        for (int i = 0; i < in; i++) sum += x[t][i] * weight[o * in + i];
        y[t][o] = sum;
      }
    }
    return y;
  }

  private static void add(double[][] x, double[][] branch) {
    for (int t = 0; t < x.length; t++) {
      for (int i = 0; i < x[t].length; i++) x[t][i] += branch[t][i];
    }
  }

  private double[] tensor(String name) {
    var tensor = tensors.get(name);
    if (tensor == null) throw new IllegalStateException("no tensor " + name + " among " + tensors.keySet());
    return tensor;
  }
}
