package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import dev.walsh.generate.Soak;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Stamp;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Table;
import dev.walsh.tensor.Device;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh bench soak}: thousands of requests with random cancellations, and what they leave behind. */
@Command(name = "soak", description = "Thousands of requests with random cancellations through one generator: fails where a page of the cache is left behind, and shows the memory after each tenth of them.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Examples:", "  walsh bench soak --device cpu", "  walsh bench soak --model 124M --requests 10000 --batch 64"})
public final class BenchSoakCommand implements Callable<Integer> {
  private static final int CONTEXT = 128;

  @Option(names = "--model", paramLabel = "PRESET|FILE.json", defaultValue = "nano", description = "The shape, with random weights and the Hadamard projection (default: ${DEFAULT-VALUE}).")
  private String model = "";

  @Option(names = "--requests", paramLabel = "N", defaultValue = "10000", description = "How many, in all (default: ${DEFAULT-VALUE}).")
  private int requests;

  @Option(names = "--batch", paramLabel = "N", defaultValue = "32", description = "Texts at once (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Of the requests and of who is cancelled (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(names = "--out", paramLabel = "FILE.json", description = "Writes the results there.")
  private @Nullable Path out;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** The result line. */
  private record Line(String bench, String model, String dtype, Soak.Outcome outcome, Stamp stamp) {}

  @Override
  public Integer call() throws InterruptedException {
    if (requests < 1) throw new UserError("--requests is " + requests + "; give at least 1");
    if (batch < 1) throw new UserError("--batch is " + batch + "; give at least 1");
    KernelBench.requireJson(out);
    var shape = ModelConfig.parse(model);
    var device = compute.device();
    var dtype = compute.dtype(device);
    Soak.Outcome outcome;
    try (var subjects = InferenceSubjects.random(InferenceSubjects.arms(shape, List.of("hadamard"), List.of()), CONTEXT, device, dtype,
        false)) {
      outcome = Soak.run(subjects.subjects().getFirst().model(), batch, requests, seed, true);
    }
    if (outcome.leakedBytes() != 0) throw new IllegalStateException(outcome.leakedBytes() + " bytes of the cache were left behind");
    var table = Table.of(String.format(Locale.ROOT, "%,d requests, %,d of them cancelled, %,d tokens in %s; nothing left behind", requests,
        outcome.cancelled(), outcome.tokens(), Format.SECONDS.text(outcome.seconds())), Column.number("requests so far"),
        Column.number("process"), Column.number("GPU"));
    for (var memory : outcome.memory()) {
      table = table.row(Cell.of(Integer.toString(memory.requests())), Cell.of(memory.residentBytes(), Format.BYTES),
          device == Device.CPU ? Cell.none() : Cell.of(memory.deviceBytes(), Format.BYTES));
    }
    var line = new Line("soak", model, dtype.toString(), outcome, Stamp.now(Hardware.probe().banner(device.toString()), spec.root()
        .commandLine().getParseResult().originalArgs()));
    var to = spec.commandLine().getOut();
    to.println(table.toText(spec.commandLine().getUsageHelpWidth()));
    to.println(Json.LINE.writeValueAsString(line));
    to.flush();
    KernelBench.write(out, line);
    return 0;
  }
}
