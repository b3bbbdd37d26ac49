package dev.walsh.cli;

import dev.walsh.data.Corpus;
import dev.walsh.data.Manifest;
import dev.walsh.data.Preparation;
import dev.walsh.measure.Progress;
import dev.walsh.text.Tokenizer;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code walsh prepare}: text into a folder of token shards. */
@Command(name = "prepare", description = "Turns text into a dataset: shards of tokens to train on, a part held out for validation.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Documents end at the ends of files and at lines that are exactly",
    "<|endoftext|>. Whole documents are held out, chosen by their text, so that",
    "the split does not change when others are added; of fewer than 20 documents,", "the end of each is.", "", "Examples:",
    "  walsh prepare book.txt --out data/book",
    "  walsh prepare corpus.txt.xz --tokenizer bytes --out data/corpus",
    "  walsh prepare src/ notes.zip --val-fraction 0.05 --out data/mine", "  zcat dump.gz | walsh prepare - --out data/dump"})
public final class PrepareCommand implements Callable<Integer> {
  @Parameters(paramLabel = "INPUT", arity = "1..*", description = "Files, folders, .zip, .xz, .gz, .bz2, or - for standard input.")
  private List<String> inputs = List.of();

  @Option(names = "--out", paramLabel = "DIR", required = true, description = "The folder to make.")
  private Path out = Path.of("");

  @Option(names = "--tokenizer", paramLabel = "gpt2|bytes", defaultValue = "gpt2", description = "How text becomes tokens (${DEFAULT-VALUE}).")
  private String tokenizer = "";

  @Option(names = "--val-fraction", paramLabel = "F", defaultValue = ""
      + Preparation.DEFAULT_VAL_FRACTION, description = "How much to hold out for validation, 0 to 0.5 (${DEFAULT-VALUE}).")
  private double valFraction;

  @Option(names = "--shard-tokens", paramLabel = "N", defaultValue = "100M", converter = CountConverter.class, description = "Tokens in a shard; K, M and B are understood (${DEFAULT-VALUE}).")
  private long shardTokens;

  @Option(names = "--force", description = "Replace the dataset in DIR; other files there stay.")
  private boolean force;

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws InterruptedException {
    var corpus = Corpus.of(inputs);
    int shard = (int) Math.min(shardTokens, Integer.MAX_VALUE);
    var preparation = new Preparation(corpus, out, Tokenizer.of(tokenizer), valFraction, shard, force);
    Preparation.Result result;
    try (var progress = Progress.startBytes("prepare", corpus.inputBytes())) {
      result = preparation.run(progress);
    }
    print(result, spec.commandLine().getOut());
    return 0;
  }

  private void print(Preparation.Result result, PrintWriter to) {
    var manifest = result.manifest();
    double seconds = result.time().toMillis() / 1e3;
    double megabytes = result.bytes() / 1e6;
    to.printf(Locale.ROOT, "%s, %.1f MB of text in %.1f s (%.1f MB/s)%n", count(result.documents(), "document"), megabytes, seconds,
        megabytes / seconds);
    to.printf(Locale.ROOT, "%,d tokens of %s, %.2f bytes a token%n", result.tokens(), manifest.tokenizer(),
        (double) result.bytes() / result.tokens());
    print("train", manifest.train(), result, to);
    print("val", manifest.val(), result, to);
    switch (manifest.heldOut()) {
      case TAILS ->
        to.printf(Locale.ROOT, "As there are fewer than 20 documents, the last %s%% of each is held out, and no whole document.%n",
            percent(valFraction));
      case NOTHING -> to.println("Nothing is held out: give train a validation set with --val.");
      case DOCUMENTS -> {}
    }
    var folder = out.toString().contains(" ") ? "'" + out + "'" : out.toString();
    to.printf("%nNext: walsh train --model nano --data %s --out run%n", folder);
    to.flush();
  }

  private static void print(String split, Manifest.Part part, Preparation.Result whole, PrintWriter to) {
    to.printf(Locale.ROOT, "  %-5s %,15d tokens (%s%%) of %s in %s%n", split, part.tokens(),
        percent((double) part.tokens() / whole
            .tokens()),
        count(part.documents(), "document"), count(part.shards().size(), "shard"));
  }

  private static String count(long number, String what) {
    return String.format(Locale.ROOT, "%,d %s%s", number, what, number == 1 ? "" : "s");
  }

  private static String percent(double fraction) {
    return String.format(Locale.ROOT, "%.3g", 100 * fraction).replaceAll("\\.?0+$", "");
  }
}
