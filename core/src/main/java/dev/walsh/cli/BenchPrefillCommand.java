package dev.walsh.cli;

import dev.walsh.generate.InferenceBenchmark.Kind;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code walsh bench prefill}: whole prompts, to the first token. */
@Command(name = "prefill", description = "Whole prompts, to the first token: time, tokens a second, and the share of the device's limit, models in turns.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Examples:", "  walsh bench prefill --device cpu --batches 1 --lengths 32,128",
    "  walsh bench prefill --model nano --projection hadamard --attention softmax,hla:2x16,based --lengths 1024",
    "  walsh bench prefill --model 757M --batches 1,8,64 --lengths 32,1024 --most-tokens 32768 --out results/prefill.json"})
public final class BenchPrefillCommand implements Callable<Integer> {
  @Mixin
  private InferenceBench bench = new InferenceBench();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    bench.run(Kind.PREFILL, spec);
    return 0;
  }
}
