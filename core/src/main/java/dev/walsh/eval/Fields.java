package dev.walsh.eval;

import dev.walsh.config.Json;
import dev.walsh.config.JsonMistake;
import dev.walsh.config.UserError;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * The named fields of one item as its file has them. Whatever is wrong with one is a UserError that names file, line and field.
 *
 * @param line where the item begins, counted from 1
 */
record Fields(String file, int line, JsonNode values) {
  private static final Pattern PLACE = Pattern.compile("\\{(\\w+)}");

  /** Those of a line of JSON. */
  static Fields ofJson(String file, int line, String json) {
    try {
      var values = Json.LINE.readTree(json);
      if (values.isObject()) return new Fields(file, line, values);
      throw new UserError(place(file, line) + " is no JSON object; give each item a line of the form {\"query\": …}");
    } catch (JacksonException error) {
      throw new UserError(place(file, line) + " is not JSON (" + JsonMistake.syntax(error) + "); correct it, one object a line", error);
    }
  }

  private static String place(String file, int line) {
    return "Line " + line + " of " + file;
  }

  /** An error of this item; the message goes on from where it stands. */
  UserError wrong(String message) {
    return new UserError(place(file, line) + message);
  }

  private JsonNode value(String name) {
    var value = values.get(name);
    if (value == null || value.isNull()) throw wrong(" has no field \"" + name + "\"; add it, or take the line out");
    return value;
  }

  String text(String name) {
    var value = value(name);
    if (!value.isString()) throw wrong(": \"" + name + "\" is " + value + "; give a text in quotation marks");
    return value.stringValue();
  }

  /** A template with each {@code {name}} replaced by the field of that name. */
  String fill(String template) {
    return PLACE.matcher(template).replaceAll(found -> Matcher.quoteReplacement(text(found.group(1))));
  }

  /** The names of the fields that a template takes. */
  static List<String> names(String template) {
    return PLACE.matcher(template).results().map(found -> found.group(1)).toList();
  }

  /** A list of texts, none of them empty. */
  List<String> texts(String name) {
    var value = value(name);
    if (!value.isArray()) throw wrong(": \"" + name + "\" is " + value + "; give a list of texts");
    var texts = new ArrayList<String>();
    for (var element : value) {
      if (!element.isString()) throw wrong(": \"" + name + "\" holds " + element + "; give texts in quotation marks");
      texts.add(element.stringValue());
    }
    return texts;
  }

  /** A whole number, which may stand in quotation marks. */
  int number(String name) {
    var value = value(name);
    var digits = value.isString() ? value.stringValue().strip() : value.toString();
    if (!digits.matches("-?\\d{1,9}")) throw wrong(": \"" + name + "\" is " + value + "; give a whole number");
    return Integer.parseInt(digits);
  }
}
