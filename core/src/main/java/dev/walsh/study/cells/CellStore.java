package dev.walsh.study.cells;

import dev.walsh.config.Json;
import dev.walsh.config.JsonMistake;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.study.plan.Cell;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/** The finished cells of a study's folder. A record is written last and whole, so a cell that has one is finished for good. */
public final class CellStore {
  private static final String FOLDER = "cells";

  private final Path folder;

  /** @param out the study's folder */
  public CellStore(Path out) {
    folder = out.resolve(FOLDER);
  }

  /** What came of a cell; null where it has not finished. */
  public @Nullable CellRecord find(Cell cell) {
    var file = file(cell, ".json");
    if (!Files.exists(file)) return null;
    var record = read(file, Files::readString, text -> Json.PRETTY.readValue(text, CellRecord.class));
    record.requireOf(cell);
    return record;
  }

  boolean isFinished(Cell cell) {
    return Files.exists(file(cell, ".json"));
  }

  /** The curve of a finished cell. */
  public List<Reading> curve(Cell cell) {
    return read(file(cell, ".jsonl"), Files::readAllLines,
        lines -> lines.stream().map(line -> Json.LINE.readValue(line, Reading.class)).toList());
  }

  private interface Reader<T> {
    T read(Path file) throws IOException;
  }

  private interface Parser<T, R> {
    R parse(T text);
  }

  private static <T, R> R read(Path file, Reader<T> reader, Parser<T, R> parser) {
    try {
      return parser.parse(reader.read(file));
    } catch (IOException e) {
      throw new UserError("Cannot read " + file + " (" + Disk.reason(e) + "); delete the cell's files to train it again", e);
    } catch (JacksonException e) {
      throw new UserError(file + " is not what a study wrote (" + JsonMistake.of(e)
          + "); delete the cell's files to train it again", e);
    }
  }

  /** Keeps what came of a cell. */
  void write(Cell cell, CellRecord record, List<Reading> curve) {
    var lines = curve.stream().map(reading -> Json.LINE.writeValueAsString(reading) + "\n").collect(Collectors.joining());
    Disk.write(file(cell, ".jsonl"), lines.getBytes(StandardCharsets.UTF_8));
    Disk.write(file(cell, ".json"), Json.PRETTY.writeValueAsBytes(record));
  }

  /** Where the weights of a cell go, if they are kept. */
  Path weights(Cell cell) {
    return folder.resolve(cell.id());
  }

  /** The file that says who trains a cell. */
  Path claim(Cell cell) {
    return file(cell, ".lock");
  }

  private Path file(Cell cell, String suffix) {
    return folder.resolve(cell.id() + suffix);
  }
}
