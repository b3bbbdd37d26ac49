package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.JsonMistake;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.generate.Generation;
import dev.walsh.generate.Request;
import dev.walsh.generate.Sampling;
import dev.walsh.text.MalformedTextException;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

import static java.nio.charset.StandardCharsets.UTF_8;

/** A file of prompts, one a line, and the lines that are written about them. */
final class PromptFile {
  private PromptFile() {}

  /** What holds where a line says nothing else. */
  record Usual(int tokens, Sampling sampling, boolean ignoreEnd) {
    /** A prompt without tokens begins a document. */
    Request request(int[] prompt, Tokenizer tokenizer, long number) {
      return request(prompt, tokens, sampling, tokenizer, number);
    }

    private Request request(int[] prompt, int most, Sampling how, Tokenizer tokenizer, long number) {
      int end = tokenizer.endOfText();
      return new Request(prompt.length == 0 ? new int[] {end} : prompt, most, ignoreEnd ? -1 : end, how, number);
    }
  }

  /** A line of JSON. */
  private record Line(@Nullable String prompt, int @Nullable [] ids, @Nullable Integer tokens, @Nullable Double temperature,
      @Nullable Integer top_k, @Nullable Double top_p, @Nullable Double penalty, @Nullable Long seed) {}

  private record Ended(int index, String text, int tokens, String ending) {}

  private record Failed(int index, String error) {}

  static boolean isJson(@Nullable Path file) {
    return file != null && file.toString().endsWith(".jsonl");
  }

  /** The lines of a file. */
  static List<String> read(Path file) {
    try {
      var lines = Files.readAllLines(file, UTF_8);
      if (lines.isEmpty()) throw new UserError(file + " has no prompts; write one a line");
      return lines;
    } catch (IOException e) {
      throw new UserError("Cannot read the prompts in " + file + " (" + Disk.reason(e) + "); give a file of lines in UTF-8", e);
    }
  }

  static int[] encode(byte[] prompt, Tokenizer tokenizer) {
    try {
      return tokenizer.encode(prompt);
    } catch (MalformedTextException error) {
      throw new UserError("The prompt is not UTF-8 from byte " + error.offset() + " on; convert it, for the tokenizer "
          + tokenizer.name() + " knows no other text", error);
    }
  }

  /**
   * What a line asks for.
   *
   * @param index of the line, which tells texts of one seed apart
   * @throws UserError where it is not to be understood
   */
  static Request parse(String text, boolean json, int index, Usual usual, Tokenizer tokenizer) {
    if (!json) return usual.request(encode(text.getBytes(UTF_8), tokenizer), tokenizer, index);
    Line line;
    try {
      line = Json.LINE.readValue(text, Line.class);
    } catch (JacksonException e) {
      throw new UserError("This is no line of JSON that asks for a text: " + JsonMistake.of(e), e);
    }
    if (line == null || (line.prompt == null) == (line.ids == null)) throw new UserError("A line needs a prompt or ids, one of the two");
    var by = usual.sampling;
    var sampling = new Sampling(or(line.temperature, by.temperature()), or(line.top_k, by.topK()), or(line.top_p, by.topP()),
        or(line.penalty, by.penalty()), or(line.seed, by.seed()));
    int[] prompt = line.ids != null ? line.ids : encode(or(line.prompt, "").getBytes(UTF_8), tokenizer);
    return usual.request(prompt, or(line.tokens, usual.tokens), sampling, tokenizer, index);
  }

  private static <T> T or(@Nullable T value, T otherwise) {
    return value == null ? otherwise : value;
  }

  /** The line about a text. */
  static String ended(int index, Generation.Result result, Tokenizer tokenizer) {
    return Json.LINE.writeValueAsString(
        new Ended(index, tokenizer.decode(result.tokens()), result.tokens().length, result.ending().name().toLowerCase(Locale.ROOT)));
  }

  /** The line about a prompt that came to nothing. */
  static String failed(int index, Throwable error) {
    var cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
    return Json.LINE.writeValueAsString(new Failed(index, String.valueOf(cause.getMessage())));
  }
}
