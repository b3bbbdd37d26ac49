package dev.walsh.cli;

import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.UserError;
import dev.walsh.generate.Generator;
import dev.walsh.generate.Sampler;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.text.MalformedTextException;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import static java.nio.charset.StandardCharsets.UTF_8;

/** {@code walsh generate}: a trained model goes on with a text. */
@Command(name = "generate", description = "Lets a trained model go on with a text, which appears as it grows.", mixinStandardHelpOptions = true, sortOptions = false, showDefaultValues = true, footer = {
    "", "The prompt and its continuation go to standard output, all else to standard error.",
    "The run may still be in progress. The same seed gives the same text.", "", "Examples:",
    "  walsh generate runs/nano --prompt \"public static void\"",
    "  walsh generate runs/nano --step best --temperature 0 --tokens 100", "  walsh generate runs/nano --prompt - < beginning.txt"})
public final class GenerateCommand implements Callable<Integer> {
  private static final String STANDARD_INPUT = "-";

  @Parameters(paramLabel = "RUN", description = "The folder of a run, or of one of its checkpoints.", showDefaultValue = Visibility.NEVER)
  private Path run = Path.of("");

  @Option(names = "--prompt", paramLabel = "TEXT", defaultValue = "", description = "What to go on with, or - for standard input; nothing begins a new document.", showDefaultValue = Visibility.NEVER)
  private String prompt = "";

  @Option(names = "--tokens", paramLabel = "N", defaultValue = "256", description = "How many tokens to make at most.")
  private int tokens;

  @Option(names = "--temperature", paramLabel = "T", defaultValue = "0.8", description = "Evens out what is likely; 0 always takes the likeliest token.")
  private double temperature;

  @Option(names = "--top-k", paramLabel = "K", defaultValue = "0", description = "Choose among the K likeliest tokens; 0 for all.")
  private int topK;

  @Option(names = "--top-p", paramLabel = "P", defaultValue = "0.95", description = "Choose among the fewest tokens that hold the probability P; 1 for all.")
  private double topP;

  @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Of the choices.")
  private long seed;

  @Option(names = "--ignore-eos", description = "Go on after the end of a document, with a line <|endoftext|>.", showDefaultValue = Visibility.NEVER)
  private boolean ignoreEnd;

  @Option(names = "--step", paramLabel = "N|best|latest", defaultValue = "latest", description = "Which checkpoint of the run.")
  private String step = "";

  @Option(names = "--device", paramLabel = "auto|cpu|cuda", defaultValue = "auto", description = "What computes.")
  private String device = "";

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    if (tokens < 1) throw new UserError("--tokens is " + tokens + "; it must be positive");
    var sampler = new Sampler(temperature, topK, topP, seed);
    var choice = Choice.parse(step);
    var err = spec.commandLine().getErr();
    var saved = SavedModel.find(run, choice, warning -> err.println("walsh: " + warning));
    var tokenizer = saved.tokenizer();
    var text = prompt.equals(STANDARD_INPUT) ? standardInput() : prompt.getBytes(UTF_8);
    var encoded = encode(text, tokenizer);
    int context = saved.state().model().context();
    if (encoded.length > context) {
      err.printf(Locale.ROOT, "The prompt has %,d tokens and the model sees %,d: it goes on with the end of it.%n", encoded.length,
          context);
    }
    var on = Device.parse(device);
    Device.setThreads(Runtime.getRuntime().availableProcessors());
    try (var loaded = saved.load(on, Dtype.F32)) {
      write(new Generator(loaded.model(), on, tokenizer, sampler), new String(text, UTF_8), encoded);
    }
    return 0;
  }

  private static byte[] standardInput() {
    try {
      return System.in.readAllBytes();
    } catch (IOException error) {
      throw new UserError("Cannot read the prompt from standard input (" + error.getMessage() + "); give it with --prompt TEXT", error);
    }
  }

  private static int[] encode(byte[] prompt, Tokenizer tokenizer) {
    try {
      return tokenizer.encode(prompt);
    } catch (MalformedTextException error) {
      throw new UserError("The prompt is not UTF-8 from byte " + error.offset() + " on; convert it, for the tokenizer "
          + tokenizer.name() + " knows no other text", error);
    }
  }

  private void write(Generator generator, String before, int[] encoded) {
    var out = spec.commandLine().getOut();
    print(before, out);
    long start = System.nanoTime();
    int made = generator.generate(encoded, tokens, !ignoreEnd, piece -> print(piece, out));
    double seconds = (System.nanoTime() - start) * 1e-9;
    out.println();
    out.flush();
    spec.commandLine().getErr().printf(Locale.ROOT, "%,d tokens in %.1f s (%.1f tokens/s)%s%n", made, seconds, made / seconds,
        made < tokens ? "; the document ended" : "");
  }

  private static void print(String text, PrintWriter out) {
    out.print(text);
    // A writer keeps quiet about a closed pipe, as does the stream below it, and the rest of the text would be made for nobody.
    if (out.checkError() || System.out.checkError())
      throw new UserError("Standard output was closed before the text ended; read all of it, or ask for fewer --tokens");
  }
}
