package dev.walsh.config;

import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.json.JsonMapper;

/** The project's one way to read and write JSON: snake-free records, unknown fields refused, stable order. */
public final class Json {
  /** Indented, for files that people read. */
  public static final JsonMapper PRETTY = base().enable(SerializationFeature.INDENT_OUTPUT).build();

  /** One line, for JSON lines and result rows. */
  public static final JsonMapper LINE = base().build();

  private Json() {}

  private static JsonMapper.Builder base() {
    return JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
        .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES).enable(EnumFeature.READ_ENUMS_USING_TO_STRING)
        .enable(EnumFeature.WRITE_ENUMS_USING_TO_STRING).enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS);
  }
}
