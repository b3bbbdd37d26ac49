package dev.walsh;

import dev.walsh.cli.BenchCommand;
import dev.walsh.cli.CompareCommand;
import dev.walsh.cli.DoctorCommand;
import dev.walsh.cli.EvalCommand;
import dev.walsh.cli.ExportCommand;
import dev.walsh.cli.GenerateCommand;
import dev.walsh.cli.InfoCommand;
import dev.walsh.cli.LineariseCommand;
import dev.walsh.cli.PrepareCommand;
import dev.walsh.cli.ReproduceCommand;
import dev.walsh.cli.StudyCommand;
import dev.walsh.cli.TrainCommand;
import dev.walsh.config.UserError;
import java.io.PrintWriter;
import org.jspecify.annotations.NullMarked;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The command line: one verb a class, in {@code cli}. */
@NullMarked
@Command(name = "walsh", description = "Transformers with structured Hadamard attention: train, compare, measure and run them.", mixinStandardHelpOptions = true, version = "walsh 0.1.0", sortOptions = false, synopsisSubcommandLabel = "COMMAND", subcommands = {
    CompareCommand.class,
    StudyCommand.class,
    ReproduceCommand.class,
    PrepareCommand.class,
    TrainCommand.class,
    LineariseCommand.class,
    EvalCommand.class,
    GenerateCommand.class,
    ExportCommand.class,
    InfoCommand.class,
    BenchCommand.class,
    DoctorCommand.class})
public final class Walsh {
  private static final int USER_MISTAKE = 2;
  private static final int INTERNAL_FAULT = 1;

  private Walsh() {}

  public static void main(String[] args) {
    System.exit(commandLine().execute(args));
  }

  /** The whole command line, as main runs it; tests run it too. */
  public static CommandLine commandLine() {
    var commands = new CommandLine(new Walsh());
    commands.setCaseInsensitiveEnumValuesAllowed(true);
    commands.setUsageHelpAutoWidth(true);
    commands.setParameterExceptionHandler(Walsh::wrongUsage);
    commands.setExecutionExceptionHandler((error, command, _) -> failed(error, command.getErr()));
    return commands;
  }

  private static int wrongUsage(CommandLine.ParameterException error, String[] args) {
    var command = error.getCommandLine();
    var err = command.getErr();
    err.println("walsh: " + error.getMessage());
    if (!CommandLine.UnmatchedArgumentException.printSuggestions(error, err)) {
      err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    }
    return USER_MISTAKE;
  }

  private static int failed(Exception error, PrintWriter err) {
    if (error instanceof UserError mistake) {
      err.println("walsh: " + mistake.getMessage());
      return USER_MISTAKE;
    }
    err.println("walsh: an internal fault; please report it with what follows.");
    error.printStackTrace(err);
    return INTERNAL_FAULT;
  }
}
