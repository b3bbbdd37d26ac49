package dev.walsh.study;

import dev.walsh.config.Json;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.measure.Stamp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.core.JacksonException;

/**
 * What a comparison was, kept as {@code comparison.json} beside its runs; with their {@code metrics.jsonl} it is all that the report is
 * made of.
 *
 * @param arms the baseline first
 * @param recipe of all arms
 * @param seeds how many times each arm was trained
 * @param dtype that the models computed in
 * @param corpus what the text was
 * @param tokenizer its name
 * @param tokensAByte of the held-out text
 * @param finished false where it was interrupted
 * @param stamp when, where and by which command
 */
public record ComparisonRecord(List<Arm> arms, TrainConfig recipe, int seeds, String dtype, String corpus, String tokenizer,
    double tokensAByte, boolean finished, Stamp stamp) {
  public static final String FILE = "comparison.json";

  static ComparisonRecord read(Path out) {
    var file = out.resolve(FILE);
    try {
      return Json.PRETTY.readValue(Files.readAllBytes(file), ComparisonRecord.class);
    } catch (IOException | JacksonException e) {
      throw new UserError("Cannot read " + file + "; give the folder that 'walsh compare' wrote", e);
    }
  }

  /** Writes it into the comparison's folder. */
  public void write(Path out) {
    Disk.write(out.resolve(FILE), Json.PRETTY.writeValueAsBytes(this));
  }
}
