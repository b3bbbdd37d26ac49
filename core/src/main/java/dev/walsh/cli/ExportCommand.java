package dev.walsh.cli;

import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.LlamaExport;
import dev.walsh.checkpoint.RunState;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.tensor.Dtype;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code walsh export}: a trained model in a layout that other programs run. */
@Command(name = "export", description = "Writes a trained model in the layout of another program.", mixinStandardHelpOptions = true, sortOptions = false, showDefaultValues = true, footer = {
    "", "llama is Hugging Face's layout of Llama models: model.safetensors and config.json. The model is the same function",
    "of its tokens; a Hadamard projection becomes the dense matrix that it stands for. No tokenizer is written.", "", "Examples:",
    "  walsh export runs/h124 --out h124-llama", "  walsh export runs/h124 --step best --dtype bf16 --out h124-llama-bf16"})
public final class ExportCommand implements Callable<Integer> {
  @Parameters(paramLabel = "RUN", description = "The folder of a run, or of one of its checkpoints.", showDefaultValue = Visibility.NEVER)
  private Path run = Path.of("");

  @Option(names = "--layout", paramLabel = "llama", defaultValue = "llama", description = "The layout.")
  private String layout = "";

  @Option(names = "--out", paramLabel = "DIR", required = true, description = "The folder to make.", showDefaultValue = Visibility.NEVER)
  private Path out = Path.of("");

  @Option(names = "--dtype", paramLabel = "f32|bf16", defaultValue = "f32", description = "What the tensors are stored in.")
  private String dtype = "";

  @Option(names = "--step", paramLabel = "N|best|latest", defaultValue = "latest", description = "Which checkpoint of the run.")
  private String step = "";

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    if (!layout.equals("llama")) throw new UserError("--layout " + layout + " is unknown; use llama");
    var stored = switch (dtype) {
      case "f32" -> Dtype.F32;
      case "bf16" -> Dtype.BF16;
      default -> throw new UserError("--dtype " + dtype + " is unknown; use f32 or bf16");
    };
    var err = spec.commandLine().getErr();
    var model = SavedModel.find(run, Choice.parse(step), warning -> err.println("walsh: " + warning));
    LlamaExport.write(model, out, stored);
    print(model);
    return 0;
  }

  private void print(SavedModel model) {
    var to = spec.commandLine().getOut();
    var config = model.state().model();
    to.printf(Locale.ROOT, "Step %,d of %s, in %s: %s (%s), %s, %s%n", model.state().step(), run, out, RunState.WEIGHTS, dtype,
        LlamaExport.CONFIG, LlamaExport.GENERATION_CONFIG);
    if (config.projection().mix() != Projection.Mix.DENSE)
      to.printf("The %s projection is written out as the dense matrix that it stands for.%n", config.projection());
    if (config.query() == Query.IDENTITY) to.println("q_proj is the identity matrix, since the queries are the stream itself.");
    if (config.projection().beta()) {
      to.println(
          "Its offset beta is o_proj.bias, under attention_bias: true; a program that ignores that flag, as Jlama 0.8.4 does, computes"
              + " another function.");
    }
    var tokenizer = model.tokenizer();
    var tokens = tokenizer.name().equals("gpt2")
        ? "Tokens are those of GPT-2: use the tokenizer of Hugging Face's model gpt2"
        : "Tokens are the bytes of the text, 0 to 255";
    to.println(tokens + "; end of text is " + tokenizer.endOfText() + ".");
    if (config.paddedVocabulary() > config.vocabulary()) {
      to.printf(
          "Ids %d to %d are padding and stand for no text; a program that does not read %s must be told not to sample them.%n",
          config.vocabulary(), config.paddedVocabulary() - 1, LlamaExport.GENERATION_CONFIG);
    }
    to.flush();
  }
}
