import com.github.tjake.jlama.model.llama.LlamaConfig;
import com.github.tjake.jlama.model.llama.LlamaModel;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.SafeTensorSupport;
import com.github.tjake.jlama.tensor.KvBufferCache;
import com.github.tjake.jlama.util.JsonSupport;
import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.generate.Generator;
import dev.walsh.generate.Request;
import dev.walsh.generate.Sampling;
import dev.walsh.model.DecodeState;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Flow;
import java.util.stream.Stream;

/**
 * Who decodes, and how. Jlama's working memory is float32, as by default; where the weights are bf16 it rounds what it multiplies them with
 * to bf16, whatever it is told. It runs no matrices of bytes, and at a width of 768 none of 4 bits with activations in 8. Its Vector API
 * computes what walsh computes; its native library, on the Zen 5 of the results, something else, and more slowly.
 */
enum Contestant {
  WALSH_BF16("walsh, bf16", 2), WALSH_INT8("walsh, int8", 1), WALSH_F32("walsh, f32", 4), //
  JLAMA_BF16("Jlama, bf16, Vector API", 2), JLAMA_F32("Jlama, f32, Vector API", 4), //
  JLAMA_BF16_NATIVE("Jlama, bf16, native library", 2), JLAMA_Q4_NATIVE("Jlama, 4 bits, native library", 0.625);

  private static final List<String> JLAMA_FLAGS = List.of("-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0", "-XX:+AlignVector");

  final String says;
  /** Of a weight, its share of a scale included where there is one for every 32. */
  final double bytes;

  Contestant(String says, double bytes) {
    this.says = says;
    this.bytes = bytes;
  }

  /** The model, from the run or from its exports in the folders {@code bf16} and {@code f32}. */
  Decoder open(Path run, Path exports) throws IOException {
    return switch (this) {
      case WALSH_BF16 -> new Walsh(run, Dtype.BF16, false);
      case WALSH_INT8 -> new Walsh(run, Dtype.BF16, true);
      case WALSH_F32 -> new Walsh(run, Dtype.F32, false);
      case JLAMA_BF16, JLAMA_BF16_NATIVE -> new Jlama(exports.resolve("bf16"));
      case JLAMA_F32 -> new Jlama(exports.resolve("f32"));
      case JLAMA_Q4_NATIVE -> new Jlama(Jlama.quantize(exports.resolve("bf16"), exports.resolve("q4")));
    };
  }

  /** What each one's own launcher tells the JVM. */
  List<String> flags() {
    return switch (this) {
      case WALSH_BF16, WALSH_INT8, WALSH_F32 -> List.of("-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-Dorg.bytedeco.javacpp.maxBytes=0");
      case JLAMA_BF16_NATIVE, JLAMA_Q4_NATIVE -> JLAMA_FLAGS;
      case JLAMA_BF16, JLAMA_F32 -> Stream.concat(JLAMA_FLAGS.stream(), Stream.of("-Djlama.force_panama_tensor_operations=true")).toList();
    };
  }

  /** Tokens, and when each was there, in nanoseconds. */
  record Text(int[] tokens, long[] at) {}

  /** A model that goes on with a text, always with the likeliest token. */
  interface Decoder extends AutoCloseable {
    Text decode(int[] prompt, int tokens) throws InterruptedException;

    @Override
    void close();
  }

  /** As {@code walsh generate} does it. */
  private static final class Walsh implements Decoder {
    private final SavedModel.Loaded loaded;
    private final DecodeState state;
    private final Generator generator;

    Walsh(Path run, Dtype dtype, boolean int8) {
      Device.setThreads(Runtime.getRuntime().availableProcessors());
      loaded = SavedModel.find(run, new Choice.Latest(), System.err::println).load(Device.CPU, dtype, int8);
      state = DecodeState.of(loaded.model(), 1, loaded.model().config().context(), Device.CPU.bytesAvailable());
      generator = new Generator(loaded.model(), state, 2048, 1, true);
    }

    @Override
    public Text decode(int[] prompt, int tokens) throws InterruptedException {
      var clock = new Clock(new long[tokens]);
      var result = generator.submit(new Request(prompt, tokens, -1, Sampling.GREEDY, 0), clock).result().join();
      clock.await();
      return new Text(result.tokens(), clock.at);
    }

    @Override
    public void close() {
      generator.close();
      state.close();
      loaded.close();
    }
  }

  /** Notes when tokens come. */
  private static final class Clock implements Flow.Subscriber<Integer> {
    private final long[] at;
    private int count;

    Clock(long[] at) {
      this.at = at;
    }

    synchronized void await() throws InterruptedException {
      while (count < at.length) wait();
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      subscription.request(Long.MAX_VALUE);
    }

    @Override
    public synchronized void onNext(Integer token) {
      at[count++] = System.nanoTime();
      notifyAll();
    }

    @Override
    public void onError(Throwable error) {
      throw new IllegalStateException(error);
    }

    @Override
    public void onComplete() {}
  }

  /** As Jlama's own {@code generate} does it, which would need a tokenizer. */
  private static final class Jlama implements Decoder {
    private final LlamaModel model;

    Jlama(Path export) throws IOException {
      var config = JsonSupport.om.readValue(export.resolve("config.json").toFile(), LlamaConfig.class);
      model = new LlamaModel(config, SafeTensorSupport.loadWeights(export.toFile()), null, DType.F32, DType.I8, Optional.empty());
    }

    /** The model in 4 bits, as {@code jlama quantize} makes it, which copies files that an export has not. */
    static Path quantize(Path export, Path made) throws IOException {
      for (var name : List.of("tokenizer.json", "README.md")) Files.write(export.resolve(name), new byte[0]);
      return SafeTensorSupport.quantizeModel(export, DType.Q4, new String[] {"norm"}, null, Optional.of(made));
    }

    @Override
    public Text decode(int[] prompt, int tokens) {
      var text = new int[tokens];
      var at = new long[tokens];
      try (var caches = new KvBufferCache(model);
          var cache = caches.getEphemeralKvBuffer();
          var logits = model.makeDenseTensor(model.getConfig().vocabularySize)) {
        try (var last = model.batchForward(prompt, 0, cache)) {
          text[0] = model.sample(last.slice(prompt.length - 1), 0, 0, logits);
          at[0] = System.nanoTime();
        }
        for (int i = 1; i < tokens; i++) {
          try (var last = model.forward(text[i - 1], prompt.length + i - 1, cache, Optional.empty())) {
            text[i] = model.sample(last, 0, 0, logits);
          }
          cache.incrementContextPosition();
          at[i] = System.nanoTime();
        }
      }
      return new Text(text, at);
    }

    @Override
    public void close() {
      model.close();
    }
  }
}
