package dev.walsh.cli;

import picocli.CommandLine.Command;

/** {@code walsh bench}: what the machine makes of each kernel and step, verified before it is timed. */
@Command(name = "bench", description = "Verifies, then times; ends with one line of JSON.", mixinStandardHelpOptions = true, subcommands = {
    BenchTrainCommand.class, BenchPrefillCommand.class, BenchDecodeCommand.class, BenchAgreementCommand.class, BenchSoakCommand.class,
    BenchOperatorCommand.class, BenchTransformCommand.class, BenchAttentionCommand.class, BenchRecallCommand.class})
public final class BenchCommand {
}
