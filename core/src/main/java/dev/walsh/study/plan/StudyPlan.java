package dev.walsh.study.plan;

import dev.walsh.config.Json;
import dev.walsh.config.JsonMistake;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * What a study is to train: a JSON file with these fields.
 *
 * @param name for the title of the report
 * @param data the texts
 * @param groups in the order in which they run
 */
public record StudyPlan(String name, Texts data, List<Group> groups) {
  /** The name of the copy that stays with the results. */
  public static final String FILE = "plan.json";

  public StudyPlan {
    if (name == null || name.isBlank()) throw new UserError("name is missing; say what the study is called");
    if (data == null) throw new UserError("data is missing; write \"jdk\", or {\"train\": \"FOLDER\", \"validation\": {…}}");
    if (groups == null || groups.isEmpty()) throw new UserError("groups is missing; give at least one");
    groups = List.copyOf(groups);
    var earlier = new LinkedHashSet<String>();
    for (var group : groups) {
      if (group.bestOf() != null && !earlier.contains(group.bestOf())) {
        throw new UserError("bestOf of group " + group.name() + " is " + group.bestOf() + ", which is no earlier group; "
            + (earlier.isEmpty() ? "give learningRates in its place" : "use one of " + String.join(", ", earlier)));
      }
      if (!earlier.add(group.name())) throw new UserError("groups has two of the name " + group.name() + "; rename one");
    }
    var ids = new HashSet<String>();
    for (var cell : cells(groups)) {
      if (!ids.add(cell.id())) throw new UserError("groups unfolds into two cells of the name " + cell.id() + "; leave one out");
    }
  }

  /** Reads a plan; a mistake in it is a UserError that names the file, the line and the field. */
  public static StudyPlan read(Path file) {
    return parse(bytes(file), file.toString());
  }

  /** The content of a plan's file. */
  public static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UserError("Cannot read the plan " + file + " (" + Disk.reason(e) + "); give the path of a plan such as plans/smoke.json",
          e);
    }
  }

  /** The content of a plan that comes with the project, by its name. */
  public static byte[] builtIn(String name) {
    try (var in = Objects.requireNonNull(StudyPlan.class.getResourceAsStream(name + ".json"), name)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Reads a plan's text; mistakes in it name its source. */
  public static StudyPlan parse(byte[] text, String source) {
    try {
      return Json.PRETTY.readValue(text, StudyPlan.class);
    } catch (JacksonException e) {
      throw new UserError(source + " " + JsonMistake.of(e, text), e);
    }
  }

  /** All cells, in the order in which they run. */
  public List<Cell> cells() {
    return cells(groups);
  }

  private static List<Cell> cells(List<Group> groups) {
    var cells = new ArrayList<Cell>();
    for (var group : groups) {
      for (int seed : group.seeds()) {
        for (var arm : group.arms()) {
          for (var rate : rates(group)) cells.add(new Cell(group, arm, rate, seed));
        }
      }
    }
    return cells;
  }

  private static List<@Nullable Double> rates(Group group) {
    if (group.bestOf() != null) return Arrays.asList((Double) null);
    var given = group.learningRates();
    return given == null ? List.of(group.usualLearningRate()) : List.copyOf(given);
  }

  /** This plan with some of its groups alone; the others stay known, for their best learning rates. */
  public List<Cell> cellsOf(Set<String> only) {
    var names = groups.stream().map(Group::name).collect(Collectors.toSet());
    for (var name : only) {
      if (!names.contains(name)) {
        throw new UserError("the plan has no group " + name + "; use some of "
            + groups.stream().map(Group::name).collect(Collectors.joining(", ")));
      }
    }
    return cells().stream().filter(cell -> only.isEmpty() || only.contains(cell.group().name())).toList();
  }
}
