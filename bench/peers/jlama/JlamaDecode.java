import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.LlamaExport;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.Json;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.PairedRatio;
import dev.walsh.measure.Rates;
import dev.walsh.measure.Stamp;
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
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Greedy decoding of one model at batch 1 on the CPU, by walsh from a run and by Jlama 0.8.4 from the run's export, token by token in
 * turns.
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
  private static final int CONTEXT = 128;
  /** Tokens whose times count lie this far around that context. */
  private static final int AROUND = 16;
  private static final int WARM_UP = 4;
  private static final double MIB = 1 << 20;
  /** How many tokens both must agree in. */
  private static final int SAME = 16;

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
        System.out.println(Json.LINE.writeValueAsString(new Answer(milliseconds(text, prompt.length), text.tokens())));
      }
    }
    System.exit(0);
  }

  /** Milliseconds a token, the median over those whose context is about {@link #CONTEXT}. */
  private static double milliseconds(Contestant.Text text, int prompt) {
    var at = text.at();
    var each = IntStream.range(CONTEXT - AROUND - prompt, CONTEXT + AROUND - prompt).mapToDouble(i -> at[i + 1] - at[i]).toArray();
    return median(each) / 1e6;
  }

  /**
   * A contestant's line of the result.
   *
   * @param weights_mib of its own form
   * @param of_floor the time in which a copy moves as many bytes as weights and cache have, over the time it took: the median over rounds
   * @param against_walsh the paired median of its times over those of walsh in bf16
   * @param low of the interval that holds the true median with 95% confidence
   * @param same_tokens how many tokens it begins with that walsh says in float32
   */
  record Row(String contestant, double p50_ms, double tokens_per_s, double weights_mib, double of_floor, double against_walsh, double low,
      double high, int same_tokens, double[] rounds_ms) {}

  record Result(String bench, String projection, int context, double copy_gbs, double[] rounds_copy_gbs, double cache_mib,
      List<Row> rows, Stamp stamp) {}

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
    var config = saved.state().model();
    double cache = (double) CONTEXT * KvCache.tokenBytes(config, Dtype.BF16);
    var walsh = times(peers.getFirst());
    var rows = new ArrayList<Row>();
    System.out.printf("%-32s %8s %10s %9s %s%n", "", "ms", "tokens/s", "of floor", "times as long as walsh in bf16");
    for (var peer : peers) {
      var times = times(peer);
      double median = median(times);
      double weights = peer.who.bytes * Gpt.parameters(config);
      var shares = IntStream.range(0, rounds).mapToDouble(i -> (weights + cache) / copies[i] / 1e6 / times[i]).toArray();
      var ratio = PairedRatio.of(times, walsh);
      rows.add(new Row(peer.who.says, median, 1e3 / median, weights / MIB, median(shares), ratio.median(), ratio.low(), ratio.high(),
          same[peer.who.ordinal()], times));
      System.out.printf(Locale.ROOT, "%-32s %8.2f %10.1f %8.0f%% %.2f (%.2f to %.2f)%n", peer.who.says, median, 1e3 / median,
          100 * median(shares), ratio.median(), ratio.low(), ratio.high());
    }
    var stamp = Stamp.now(Hardware.probe().banner("cpu"), List.of());
    var command = "mvn -q -Pjlama package -pl bench -am -Dmaven.test.skip=true -Djlama=\"RUN " + rounds + "\"";
    var result = new Result("jlama", config.projection().toString(), CONTEXT, median(copies), copies, cache / MIB, rows,
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
