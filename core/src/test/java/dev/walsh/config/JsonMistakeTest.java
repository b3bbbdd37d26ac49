package dev.walsh.config;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.core.JacksonException;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

final class JsonMistakeTest {
  enum Colour {
    RED, GREEN;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  record Part(int number, Colour colour) {
    Part {
      if (number < 0) throw new UserError("the number is " + number + "; it must be positive");
    }
  }

  record Whole(String name, boolean ready, List<Part> parts) {}

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {"{'name': 'a', 'parts': 3}|line 1, parts: it must be a list in []",
      "{'name': [1]}|line 1, name: it must be a text in quotes",
      "{'ready': 'perhaps'}|line 1, ready: it is 'perhaps' and must be true or false",
      "{'parts': [{'number': 'x'}]}|line 1, parts[0].number: it is 'x' and must be a number",
      "{'parts': [{'colour': 'blue'}]}|line 1, parts[0].colour: 'blue' is unknown; use one of red, green",
      "{'parts': [7]}|line 1, parts[0]: it must be an object in {}",
      "{'parts': [{'number': -1}]}|line 1, parts[0]: the number is -1; it must be positive",
      "{'nme': 'a'}|nme: the field is unknown; use one of name, ready, parts",
      "{'name': |line 1: it is no JSON (Unexpected end-of-input within/between Object entries)"}, quoteCharacter = '`')
  void itSaysWhereAndWhatToWrite(String json, String said) {
    var mistake = catchThrowableOfType(JacksonException.class, () -> Json.LINE.readValue(json.replace('\'', '"'), Whole.class));
    assertThat(JsonMistake.of(mistake)).isEqualTo(said);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {"[{'number': -1},5]|line 3, parts[0]: the number is -1; it must be positive",
      "[{'hue': 1}]|line 3, parts[0].hue: the field is unknown",
      "[{'number': 'x'}]|line 3, parts[0].number: it is 'x' and must be a number"}, quoteCharacter = '`')
  void withTheTextItNamesTheLineOnWhichTheFieldBegins(String parts, String said) {
    var json = "{'name': 'a',\n'parts': [\n%s\n]}".formatted(parts.substring(1, parts.length() - 1).replace(",", "\n,\n")).replace('\'',
        '"');
    var mistake = catchThrowableOfType(JacksonException.class, () -> Json.LINE.readValue(json, Whole.class));
    assertThat(JsonMistake.of(mistake, json.getBytes(StandardCharsets.UTF_8))).startsWith(said);
  }
}
