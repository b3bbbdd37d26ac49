package dev.walsh.train;

import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JacksonException;

/** {@code metrics.jsonl} of a run: a line a step, written as it happens. */
public final class MetricsLog implements AutoCloseable {
  public static final String FILE = "metrics.jsonl";

  private final Path file;
  private final Writer writer;

  private MetricsLog(Path file, Writer writer) {
    this.file = file;
    this.writer = writer;
  }

  /** Goes on after {@code step}: what a run that was cut off had logged beyond its last checkpoint is dropped. */
  public static MetricsLog after(long step, Path run) {
    var file = run.resolve(FILE);
    try {
      if (Files.exists(file)) {
        var kept = new StringBuilder();
        for (var metric : read(run)) {
          if (metric.step() <= step) kept.append(Json.LINE.writeValueAsString(metric)).append('\n');
        }
        Disk.write(file, kept.toString().getBytes(StandardCharsets.UTF_8));
      }
      return new MetricsLog(file, Files.newBufferedWriter(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND));
    } catch (IOException e) {
      throw cannotWrite(file, e);
    }
  }

  /** A log that nobody reads. */
  public static MetricsLog none() {
    return new MetricsLog(Path.of(FILE), Writer.nullWriter());
  }

  private static UserError cannotWrite(Path file, IOException e) {
    return new UserError(
        "Cannot write " + file + " (" + e.getMessage() + "); make room on the disk or check its permissions, then go on with --resume", e);
  }

  /** Appends one line and hands it to the system. */
  public void write(Metric metric) {
    try {
      writer.write(Json.LINE.writeValueAsString(metric) + "\n");
      writer.flush();
    } catch (IOException e) {
      throw cannotWrite(file, e);
    }
  }

  /** All lines of a run's log; a last line that was cut off is left out. */
  public static List<Metric> read(Path run) {
    var file = run.resolve(FILE);
    try {
      var metrics = new ArrayList<Metric>();
      var lines = Files.readAllLines(file);
      for (int i = 0; i < lines.size(); i++) {
        try {
          metrics.add(Json.LINE.readValue(lines.get(i), Metric.class));
        } catch (JacksonException e) {
          if (i < lines.size() - 1)
            throw new UserError(file + " line " + (i + 1) + " is not a metric; restore the file or delete that line", e);
        }
      }
      return metrics;
    } catch (IOException e) {
      throw new UserError("Cannot read " + file + " (" + e.getMessage() + "); give the folder of a run", e);
    }
  }

  @Override
  public void close() {
    try {
      writer.close();
    } catch (IOException e) {
      throw cannotWrite(file, e);
    }
  }
}
