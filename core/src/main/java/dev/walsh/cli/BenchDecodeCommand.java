package dev.walsh.cli;

import dev.walsh.generate.InferenceBenchmark.Kind;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code walsh bench decode}: steps of a token for each of many sequences. */
@Command(name = "decode", description = "Steps of a token for each sequence: time, tokens a second, and the share of the device's limit, models in turns.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Examples:", "  walsh bench decode --device cpu --batches 1,4 --lengths 128",
    "  walsh bench decode --model nano --attention softmax,hla:2x16 --lengths 128,65536  # beyond the context",
    "  walsh bench decode --model 124M,757M --batches 1,64,1024 --lengths 2,128 --out results/decode.json"})
public final class BenchDecodeCommand implements Callable<Integer> {
  @Mixin
  private InferenceBench bench = new InferenceBench();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    bench.run(Kind.DECODE, spec);
    return 0;
  }
}
