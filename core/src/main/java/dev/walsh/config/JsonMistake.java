package dev.walsh.config;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.exc.InvalidFormatException;
import tools.jackson.databind.exc.MismatchedInputException;
import tools.jackson.databind.exc.UnrecognizedPropertyException;

/** What is wrong with a JSON text, in words for the one who wrote it: where, and what to write instead. */
public final class JsonMistake {
  private JsonMistake() {}

  /** Such as {@code line 3, groups[0].tokens: it must be a number}. */
  public static String of(JacksonException e) {
    var place = place(e);
    return place.isEmpty() ? complaint(e) : place + ": " + complaint(e);
  }

  /** The same, with the line on which the field begins, where the parser noticed only at its end, or says none. */
  public static String of(JacksonException e, byte[] text) {
    var location = e.getLocation();
    boolean isLate = e.getCause() instanceof UserError || location == null || location.getLineNr() < 0;
    int line = isLate && !e.getPath().isEmpty() ? beginning(e.getPath(), text) : 0;
    return line == 0 ? of(e) : "line " + line + ", " + field(e) + ": " + complaint(e);
  }

  /** The line of a field or an element, counted from 1; 0 if the text has no such place. */
  private static int beginning(List<JacksonException.Reference> path, byte[] text) {
    var pointer = path.stream().map(step -> "/" + (step.getIndex() >= 0 ? step.getIndex() : step.getPropertyName()))
        .collect(Collectors.joining());
    try (var parser = Json.LINE.createParser(text)) {
      while (parser.nextToken() != null) {
        if (parser.streamReadContext().pathAsPointer().toString().equals(pointer)) return parser.currentTokenLocation().getLineNr();
      }
    } catch (JacksonException broken) {
      return 0;
    }
    return 0;
  }

  private static String place(JacksonException e) {
    var location = e.getLocation();
    var field = field(e);
    var line = location == null || location.getLineNr() < 0 ? "" : "line " + location.getLineNr();
    return field.isEmpty() ? line : line.isEmpty() ? field : line + ", " + field;
  }

  private static String field(JacksonException e) {
    var field = new StringBuilder();
    for (var step : e.getPath()) {
      if (step.getIndex() >= 0) {
        field.append('[').append(step.getIndex()).append(']');
      } else {
        field.append(field.isEmpty() ? "" : ".").append(step.getPropertyName());
      }
    }
    return field.toString();
  }

  private static String complaint(JacksonException e) {
    if (e.getCause() instanceof UserError mistake) return String.valueOf(mistake.getMessage());
    return switch (e) {
      case UnrecognizedPropertyException unknown -> "the field is unknown; use one of " + list(unknown.getKnownPropertyIds());
      case InvalidFormatException wrong when wrong.getTargetType() != null && wrong.getTargetType().isEnum() -> "'" + wrong.getValue()
          + "' is unknown; use one of " + list(Arrays.asList(wrong.getTargetType().getEnumConstants()));
      case InvalidFormatException wrong -> "it is '" + wrong.getValue() + "' and must be " + kind(wrong.getTargetType());
      case MismatchedInputException wrong -> "it must be " + kind(wrong.getTargetType());
      default -> "it is no JSON (" + syntax(e) + ")";
    };
  }

  private static String list(@Nullable Collection<?> choices) {
    return choices == null ? "" : choices.stream().map(String::valueOf).collect(Collectors.joining(", "));
  }

  private static String kind(@Nullable Class<?> type) {
    if (type == null) return "something else";
    if (type == boolean.class || type == Boolean.class) return "true or false";
    if (type.isPrimitive() || Number.class.isAssignableFrom(type)) return "a number";
    if (CharSequence.class.isAssignableFrom(type)) return "a text in quotes";
    return Collection.class.isAssignableFrom(type) || type.isArray() ? "a list in []" : "an object in {}";
  }

  /** What the parser says of a text that is no JSON, without where it says to have been. */
  public static String syntax(JacksonException e) {
    var said = e.getOriginalMessage().lines().findFirst().orElse("");
    int aside = said.indexOf(" (start marker");
    return aside < 0 ? said : said.substring(0, aside);
  }
}
