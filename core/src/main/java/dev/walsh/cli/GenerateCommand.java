package dev.walsh.cli;

import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.UserError;
import dev.walsh.generate.Generator;
import dev.walsh.generate.Request;
import dev.walsh.generate.Sampling;
import dev.walsh.generate.TextReader;
import dev.walsh.model.DecodeState;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import static java.nio.charset.StandardCharsets.UTF_8;

/** {@code walsh generate}: a trained model goes on with a text. */
@Command(name = "generate", description = "Lets a trained model go on with a text, which appears as it grows.", mixinStandardHelpOptions = true, sortOptions = false, showDefaultValues = true, footer = {
    "", "The prompt and its continuation go to standard output, all else to standard error.",
    "The run may still be in progress. The same seed gives the same text, whatever is made beside it (but for rounding).", "",
    "A line of JSON has a prompt, as text or as ids, and what shall differ from the options:",
    "  {\"prompt\": \"public\", \"tokens\": 20, \"temperature\": 0, \"top_k\": 0, \"top_p\": 1, \"penalty\": 1, \"seed\": 7}",
    "  {\"ids\": [112, 117, 98]}",
    "A line that comes out has the index of its prompt, the text, its tokens and why it ended, or else an error.", "", "Examples:",
    "  walsh generate runs/nano --prompt \"public static void\"",
    "  walsh generate runs/nano --step best --temperature 0 --tokens 100", "  walsh generate runs/nano --prompt - < beginning.txt",
    "  walsh generate runs/nano --prompts prompts.jsonl > texts.jsonl"})
public final class GenerateCommand implements Callable<Integer> {
  private static final String STANDARD_INPUT = "-";
  /** Tokens of prompts that are read between two steps. */
  private static final int CHUNK = 2048;
  /** Requests that wait or run, at most; the next one waits to be asked for. */
  private static final int WAITING = 4096;

  @Parameters(paramLabel = "RUN", description = "The folder of a run, or of one of its checkpoints.", showDefaultValue = Visibility.NEVER)
  private Path run = Path.of("");

  @Option(names = "--prompt", paramLabel = "TEXT", defaultValue = "", description = "What to go on with, or - for standard input; nothing begins a new document.", showDefaultValue = Visibility.NEVER)
  private String prompt = "";

  @Option(names = "--prompts", paramLabel = "FILE", description = "Many prompts, as lines of text or, in a file named .jsonl, of JSON; the texts are written as JSON lines.", showDefaultValue = Visibility.NEVER)
  private @Nullable Path prompts;

  @Option(names = "--tokens", paramLabel = "N", defaultValue = "256", description = "How many tokens to make at most.")
  private int tokens;

  @Option(names = "--temperature", paramLabel = "T", defaultValue = "0.8", description = "Evens out what is likely; 0 always takes the likeliest token.")
  private double temperature;

  @Option(names = "--top-k", paramLabel = "K", defaultValue = "0", description = "Choose among the K likeliest tokens; 0 for all.")
  private int topK;

  @Option(names = "--top-p", paramLabel = "P", defaultValue = "0.95", description = "Choose among the fewest tokens that hold the probability P; 1 for all.")
  private double topP;

  @Option(names = "--penalty", paramLabel = "X", defaultValue = "1", description = "Makes tokens that the text has already less likely; 1 does nothing.")
  private double penalty;

  @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Of the choices.")
  private long seed;

  @Option(names = "--ignore-eos", description = "Go on after the end of a document, with a line <|endoftext|>.", showDefaultValue = Visibility.NEVER)
  private boolean ignoreEnd;

  @Option(names = "--step", paramLabel = "N|best|latest", defaultValue = "latest", description = "Which checkpoint of the run.")
  private String step = "";

  @Option(names = "--batch", paramLabel = "N", defaultValue = "32", description = "How many texts to go on with at once, at most.")
  private int batch;

  @Option(names = "--weights", paramLabel = "full|int8", defaultValue = "full", description = "Whether matrices have the model's dtype, or bytes with one scale for each output channel.")
  private String weights = "";

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws InterruptedException {
    if (tokens < 1) throw new UserError("--tokens is " + tokens + "; it must be positive");
    if (batch < 1) throw new UserError("--batch is " + batch + "; it must be positive");
    if (prompts != null && !prompt.isEmpty()) throw new UserError("--prompt and --prompts exclude one another; give one of them");
    boolean int8 = DeviceOptions.int8(weights);
    var usual = new PromptFile.Usual(tokens, new Sampling(temperature, topK, topP, penalty, seed), ignoreEnd);
    var choice = Choice.parse(step);
    var saved = SavedModel.find(run, choice, warning -> spec.commandLine().getErr().println("walsh: " + warning));
    var tokenizer = saved.tokenizer();
    if (prompts == null) {
      var text = prompt.equals(STANDARD_INPUT) ? standardInput() : prompt.getBytes(UTF_8);
      var request = usual.request(PromptFile.encode(text, tokenizer), tokenizer, 0);
      return withModel(saved, int8, 1, generator -> write(generator, new String(text, UTF_8), request, tokenizer));
    }
    var lines = PromptFile.read(prompts);
    return withModel(saved, int8, Math.min(batch, lines.size()), generator -> writeAll(generator, lines, usual, tokenizer));
  }

  private static byte[] standardInput() {
    try {
      return System.in.readAllBytes();
    } catch (IOException error) {
      throw new UserError("Cannot read the prompt from standard input (" + error.getMessage() + "); give it with --prompt TEXT", error);
    }
  }

  @FunctionalInterface
  private interface Use {
    void with(Generator generator) throws InterruptedException;
  }

  private int withModel(SavedModel saved, boolean int8, int sequences, Use use) throws InterruptedException {
    var device = compute.device();
    var dtype = compute.dtype(device);
    try (var loaded = saved.load(device, dtype, int8)) {
      long context = saved.state().model().context();
      try (var state = DecodeState.of(loaded.model(), sequences, sequences * context, device.bytesAvailable());
          var generator = new Generator(loaded.model(), state, CHUNK, WAITING, true)) {
        use.with(generator);
      }
    }
    return 0;
  }

  private void write(Generator generator, String before, Request request, Tokenizer tokenizer) throws InterruptedException {
    generator.check(request);
    var out = spec.commandLine().getOut();
    print(before, out);
    var reader = new TextReader(tokenizer, piece -> print(piece, out));
    long start = System.nanoTime();
    var result = generator.submit(request, reader).result();
    reader.await();
    double seconds = (System.nanoTime() - start) * 1e-9;
    out.println();
    out.flush();
    say(result.join().tokens().length, seconds, switch (result.join().ending()) {
      case STOP -> "; the document ended";
      case CONTEXT -> "; the model sees no more tokens";
      case LENGTH, CANCELLED -> "";
    });
  }

  /** Each text is written when it has ended, and a line that is none of ours says so in its own. */
  private void writeAll(Generator generator, List<String> lines, PromptFile.Usual usual, Tokenizer tokenizer) throws InterruptedException {
    var out = spec.commandLine().getOut();
    long start = System.nanoTime();
    var made = new LongAdder();
    var written = new ArrayList<CompletableFuture<?>>();
    for (int i = 0; i < lines.size(); i++) {
      int line = i;
      try {
        var request = PromptFile.parse(lines.get(i), PromptFile.isJson(prompts), i, usual, tokenizer);
        written.add(generator.submit(request).result().handle((result, error) -> {
          if (result != null) made.add(result.tokens().length);
          printLine(result == null ? PromptFile.failed(line, error) : PromptFile.ended(line, result, tokenizer), out);
          return line;
        }));
      } catch (UserError mistake) {
        printLine(PromptFile.failed(i, mistake), out);
      }
    }
    try {
      for (var each : written) each.join();
    } catch (CompletionException error) {
      throw error.getCause() instanceof UserError mistake ? mistake : error;
    }
    say(made.sum(), (System.nanoTime() - start) * 1e-9, "");
  }

  private void say(long made, double seconds, String why) {
    spec.commandLine().getErr().printf(Locale.ROOT, "%,d tokens in %.1f s (%.1f tokens/s)%s%n", made, seconds, made / seconds, why);
  }

  private static synchronized void printLine(String line, PrintWriter out) {
    print(line + System.lineSeparator(), out);
  }

  private static void print(String text, PrintWriter out) {
    out.print(text);
    // A writer keeps quiet about a closed pipe, as does the stream below it, and the rest of the text would be made for nobody.
    if (out.checkError() || System.out.checkError())
      throw new UserError("Standard output was closed before the text ended; read all of it, or ask for fewer --tokens");
  }
}
