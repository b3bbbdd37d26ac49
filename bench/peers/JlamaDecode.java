import com.github.tjake.jlama.model.llama.LlamaConfig;
import com.github.tjake.jlama.model.llama.LlamaModel;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.SafeTensorSupport;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import com.github.tjake.jlama.util.JsonSupport;
import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.LlamaExport;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.Json;
import dev.walsh.generate.Generator;
import dev.walsh.generate.Request;
import dev.walsh.generate.Sampling;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.PairedRatio;
import dev.walsh.measure.Rates;
import dev.walsh.measure.Stamp;
import dev.walsh.model.DecodeState;
import dev.walsh.model.Gpt;
import dev.walsh.model.KvCache;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Flow;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Greedy decoding of one model at batch 1 on the CPU, by walsh from a run and by Jlama 0.8.4 from the run's export, token by token in turns.
 *
 * <p>Every contestant is a process of its own, started with the flags of its own launcher, warmed up, and then asked for one text after
 * another, in turns with the others and with a copy of memory. What counts is the median time of the tokens in the middle of the text,
 * whose context is 128 tokens on average. In float32 both must say the same before anything is timed.
 *
 * <pre>
 * mvn -q -Pjlama package -pl bench -am -Dmaven.test.skip=true -Djlama="RUN [ROUNDS [OUT.json]]"
 * </pre>
 */
public final class JlamaDecode {
  /** The beginning of a document, of which the model should have learned something: what knows nothing says the same token for ever. */
  private static final String PROMPT = "# walsh\n\nwalsh trains, compares, measures and";
  /** Tokens whose times count lie this far around a context of 128. */
  private static final int AROUND = 16;
  private static final int CONTEXT = 128;
  private static final int WARM_UP = 4;
  /** How many tokens both must agree in. */
  private static final int SAME = 16;

  private static final List<String> JLAMA_FLAGS = List.of("-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0", "-XX:+AlignVector");

  /**
   * Who decodes, and how. Jlama's working memory is float32, its own default; where the weights are bf16 it rounds what it multiplies with them to
   * bf16, whatever it is told. Its matrices of bytes do not run, nor 4 bits with activations in 8 at this width, and what its native library computes here is another function.
   */
  enum Contestant {
    WALSH_BF16("walsh, bf16"), WALSH_INT8("walsh, int8"), WALSH_F32("walsh, f32"), //
    JLAMA_BF16("Jlama, bf16, Vector API"), JLAMA_F32("Jlama, f32, Vector API"), //
    JLAMA_BF16_NATIVE("Jlama, bf16, native library"), JLAMA_Q4_NATIVE("Jlama, 4 bits, native library");

    final String says;

    Contestant(String says) {
      this.says = says;
    }

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

    List<String> flags() {
      return switch (this) {
        case WALSH_BF16, WALSH_INT8, WALSH_F32 -> List.of("-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-Dorg.bytedeco.javacpp.maxBytes=0");
        case JLAMA_BF16_NATIVE, JLAMA_Q4_NATIVE -> JLAMA_FLAGS;
        case JLAMA_BF16, JLAMA_F32 -> Stream.concat(JLAMA_FLAGS.stream(),
            Stream.of("-Djlama.force_panama_tensor_operations=true")).toList();
      };
    }
  }

  /** A model that goes on with a text, always with the likeliest token. */
  interface Decoder extends AutoCloseable {
    /** The tokens that follow, and when each was there, in nanoseconds. */
    Text decode(int[] prompt, int tokens) throws InterruptedException;

    @Override
    void close();
  }

  record Text(int[] tokens, long[] at) {
    /** Milliseconds a token, the median over those whose context is about {@link #CONTEXT}. */
    double milliseconds(int prompt) {
      var each = IntStream.range(CONTEXT - AROUND - prompt, CONTEXT + AROUND - prompt).mapToLong(i -> at[i + 1] - at[i]).sorted().toArray();
      return (each[each.length / 2] + each[(each.length - 1) / 2]) / 2e6;
    }
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
      synchronized (clock) {
        while (clock.count < tokens) clock.wait();
      }
      return new Text(result.tokens(), clock.at);
    }

    @Override
    public void close() {
      generator.close();
      state.close();
      loaded.close();
    }
  }

  private static final class Clock implements Flow.Subscriber<Integer> {
    private final long[] at;
    private int count;

    Clock(long[] at) {
      this.at = at;
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
      error.printStackTrace();
      System.exit(1);
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
        AbstractTensor last = model.batchForward(prompt, 0, cache);
        text[0] = model.sample(last.slice(last.shape().first() - 1), 0, 0, logits);
        last.close();
        at[0] = System.nanoTime();
        for (int i = 1; i < tokens; i++) {
          var output = model.forward(text[i - 1], prompt.length + i - 1, cache, Optional.empty());
          text[i] = model.sample(output, 0, 0, logits);
          output.close();
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

  /** What a process answers to each line of its standard input. */
  record Answer(double milliseconds, int[] tokens) {}

  /** A contestant's process. */
  private static final class Peer implements AutoCloseable {
    private final Contestant who;
    private final Process process;
    private final BufferedReader answers;
    private final List<Double> times = new ArrayList<>();

    Peer(Contestant who, String run, Path exports) throws IOException {
      this.who = who;
      var command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElse("java"), "--add-modules",
          "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"));
      command.addAll(who.flags());
      command.addAll(List.of("-cp", System.getProperty("java.class.path"), System.getProperty("jdk.launcher.sourcefile"), "--as",
          who.name(), run, exports.toString()));
      var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
      // As walsh's launcher sets them.
      builder.environment().put("GOMP_SPINCOUNT", "10000");
      builder.environment().put("THP_MEM_ALLOC_ENABLE", "1");
      process = builder.start();
      answers = process.inputReader();
    }

    Answer ask() throws IOException {
      process.outputWriter().write("go\n");
      process.outputWriter().flush();
      var line = answers.readLine();
      if (line == null) throw new IllegalStateException(who.says + " ended without an answer; its own words are above");
      return Json.LINE.readValue(line, Answer.class);
    }

    @Override
    public void close() {
      process.destroy();
    }
  }

  private JlamaDecode() {}

  public static void main(String[] args) throws Exception {
    if (args.length == 4 && args[0].equals("--as")) {
      answer(Contestant.valueOf(args[1]), Path.of(args[2]), Path.of(args[3]));
    } else if (args.length >= 1 && args.length <= 3) {
      compare(args[0], args.length > 1 ? Integer.parseInt(args[1]) : 9, args.length > 2 ? Path.of(args[2]) : null);
    } else {
      System.err.println("usage: JlamaDecode RUN [ROUNDS [OUT.json]]");
      System.exit(2);
    }
  }

  private static void answer(Contestant who, Path run, Path exports) throws Exception {
    var tokenizer = SavedModel.find(run, new Choice.Latest(), _ -> {}).tokenizer();
    var prompt = IntStream.concat(IntStream.of(tokenizer.endOfText()), Arrays.stream(tokenizer.encode(PROMPT))).toArray();
    int tokens = CONTEXT + AROUND - prompt.length + 1;
    try (var decoder = who.open(run, exports); var questions = new BufferedReader(new InputStreamReader(System.in))) {
      for (int i = 0; i < WARM_UP; i++) decoder.decode(prompt, tokens);
      while (questions.readLine() != null) {
        var text = decoder.decode(prompt, tokens);
        System.out.println(Json.LINE.writeValueAsString(new Answer(text.milliseconds(prompt.length), text.tokens())));
      }
    }
    System.exit(0);
  }

  /** A contestant's line of the result; {@code against_walsh} is above 1 where walsh in bf16 is the faster. */
  record Row(String contestant, double p50_ms, double tokens_per_s, double of_floor, double against_walsh, double low, double high,
      int same_tokens, double[] rounds_ms) {}

  /** All of it; the floor is the time in which a copy moves as many bytes as the weights in bf16 and the cache have. */
  record Result(String bench, String run, int context, double copy_gbs, double[] rounds_copy_gbs, double weights_mib, double cache_mib,
      double floor_ms, List<Row> rows, Stamp stamp) {}

  private static void compare(String run, int rounds, @Nullable Path out) throws Exception {
    var exports = Files.createTempDirectory("walsh-jlama");
    var peers = new ArrayList<Peer>();
    try {
      var saved = SavedModel.find(Path.of(run), new Choice.Latest(), System.err::println);
      LlamaExport.write(saved, exports.resolve("bf16"), Dtype.BF16);
      LlamaExport.write(saved, exports.resolve("f32"), Dtype.F32);
      var texts = new ArrayList<int[]>();
      for (var who : Contestant.values()) {
        peers.add(new Peer(who, run, exports));
        texts.add(peers.getLast().ask().tokens);
      }
      var exact = texts.get(Contestant.WALSH_F32.ordinal());
      var same = texts.stream().mapToInt(text -> same(exact, text)).toArray();
      int alike = same[Contestant.JLAMA_F32.ordinal()];
      if (alike < SAME) throw new IllegalStateException("in float32 Jlama's text goes apart from walsh's after " + alike + " tokens");
      Device.setThreads(Runtime.getRuntime().availableProcessors());
      var copies = new double[rounds];
      for (int i = 0; i < rounds; i++) {
        copies[i] = Rates.measure("cpu").copy() / 1e9;
        for (var peer : peers) peer.times.add(peer.ask().milliseconds);
      }
      tell(saved, rounds, peers, same, copies, out);
    } finally {
      peers.forEach(Peer::close);
      try (var all = Files.walk(exports)) {
        for (var path : all.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
      }
    }
  }

  private static int same(int[] one, int[] other) {
    int n = Arrays.mismatch(one, other);
    return n < 0 ? one.length : n;
  }

  private static void tell(SavedModel saved, int rounds, List<Peer> peers, int[] same, double[] copies, @Nullable Path out)
      throws IOException {
    double copy = median(copies);
    var config = saved.state().model();
    double weights = 2.0 * Gpt.parameters(config);
    double cache = (double) CONTEXT * KvCache.tokenBytes(config, Dtype.BF16);
    double floor = (weights + cache) / copy / 1e6;
    var walsh = times(peers.getFirst());
    var rows = new ArrayList<Row>();
    System.out.printf(Locale.ROOT, "%-60s %8s %10s %9s %s%n", "", "ms", "tokens/s", "of floor", "walsh in bf16 is faster by");
    for (var peer : peers) {
      var times = times(peer);
      double median = median(times);
      var ratio = PairedRatio.of(times, walsh);
      rows.add(new Row(peer.who.says, median, 1e3 / median, floor / median, ratio.median(), ratio.low(), ratio.high(),
          same[peer.who.ordinal()], times));
      System.out.printf(Locale.ROOT, "%-60s %8.2f %10.1f %8.0f%% %.2f (%.2f to %.2f)%n", peer.who.says, median, 1e3 / median,
          100 * floor / median, ratio.median(), ratio.low(), ratio.high());
    }
    var banner = Hardware.probe().banner("cpu");
    var stamp = Stamp.now(banner, List.of());
    var command = "mvn -q -Pjlama package -pl bench -am -Dmaven.test.skip=true -Djlama=\"RUN " + rounds + "\"";
    var result = new Result("jlama", config.projection().toString(), CONTEXT, copy, copies, weights / (1 << 20), cache / (1 << 20), floor, rows,
        new Stamp(stamp.date(), stamp.device(), stamp.commit(), command));
    System.out.println(Json.LINE.writeValueAsString(result));
    if (out != null) Files.writeString(out, Json.PRETTY.writeValueAsString(result) + "\n");
  }

  private static double[] times(Peer peer) {
    return peer.times.stream().mapToDouble(Double::doubleValue).toArray();
  }

  private static double median(double[] values) {
    var sorted = values.clone();
    Arrays.sort(sorted);
    return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
  }
}
