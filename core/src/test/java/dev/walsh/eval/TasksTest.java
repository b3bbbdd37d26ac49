package dev.walsh.eval;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class TasksTest {
  private static final String QUESTION = "{\"query\": \"Question: why?\\n\", \"choices\": [\"so\", \"for a {reason}\"], \"gold\": 1}";

  @TempDir
  Path temp;

  private Task open(String name) {
    return Tasks.open(temp, List.of(name)).getFirst();
  }

  private Path write(String name, String content) throws IOException {
    return Files.writeString(temp.resolve(name), content);
  }

  private static List<Item> items(Task task) {
    assertThat(task.sets()).hasSize(1);
    return task.sets().getFirst().items();
  }

  @Test
  void promptsAreThoseOfTheHarness() throws IOException {
    write("piqa.jsonl", QUESTION + "\n\n" + QUESTION.replace("\\n", " \\n").replace("1}", "\"0\"}"));
    var piqa = open("piqa");
    assertThat(items(piqa)).containsExactly(new Item.Choices(1, "Question: why?\nAnswer:", List.of("so", "for a {reason}"), 1),
        new Item.Choices(3, "Question: why? \nAnswer:", List.of("so", "for a {reason}"), 0));
    assertThat(piqa.normalised()).isTrue();
    assertThat(piqa.requests()).isEqualTo(4);
    assertThat(piqa.first(1).items()).isEqualTo(1);
    assertThat(piqa.version()).matches("1 on data [0-9a-f]{12}");
    write("arc_easy.jsonl", QUESTION.replace("\\n", ""));
    assertThat(items(open("arc_easy"))).extracting("context").containsExactly("Question: why?\nAnswer:");
    write("openbook_qa.jsonl", QUESTION.replace("\\n", ""));
    assertThat(items(open("openbookqa"))).extracting("context").containsExactly("Question: why?");
    write("lambada_openai.jsonl", "{\"context\": \"one two\", \"continuation\": \"three\"}");
    assertThat(items(open("lambada"))).containsExactly(new Item.Continuation(1, "one two", "three"));
  }

  @Test
  void aTaskMayBePackedAndHaveSixLinesAnItem() throws IOException {
    try (OutputStream out = new BZip2CompressorOutputStream(Files.newOutputStream(temp.resolve("hellaswag_val_full.txt.bz2")))) {
      out.write("Skiing: he\n2\na\r\nb\nc\nd\nRowing: she\n0\ne\nf\ng\nh".getBytes(UTF_8));
    }
    assertThat(items(open("hellaswag"))).containsExactly(new Item.Choices(1, "Skiing: he", List.of("a", "b", "c", "d"), 2),
        new Item.Choices(7, "Rowing: she", List.of("e", "f", "g", "h"), 0));
    write("hellaswag_val_full.txt", "Skiing: he\n2\na\nb\n");
    assertMistake("hellaswag", "The item at line 1 of ", "ends before its \"ending2\"; an item has 6 lines");
    write("hellaswag_val_full.txt", "Skiing: he\n4\na\nb\nc\nd\n");
    assertMistake("hellaswag", "Line 1 of ", "\"gold\" is 4, but choices are counted from 0 to 3");
  }

  @Test
  void aZipHasASetAFile() throws IOException {
    var pair = "{\"sentence_good\": \"good %s\", \"sentence_bad\": \"bad\", \"more\": true}%n";
    zip(temp.resolve("blimp.zip"), Map.of("data/b.jsonl", pair.formatted(1), "data/a.jsonl", pair.formatted(2) + pair.formatted(3),
        "data/.DS_Store", "x", "__MACOSX/data/._a.jsonl", "x"));
    var blimp = open("blimp");
    assertThat(blimp.sets()).extracting(Task.ItemSet::name).containsExactly("a", "b");
    assertThat(blimp.sets().getLast().items()).containsExactly(new Item.Choices(1, "", List.of("good 1", "bad"), 0));
    assertThat(blimp.normalised()).isFalse();
    assertThat(blimp.items()).isEqualTo(3);
    zip(temp.resolve("none.zip"), Map.of("a.txt", "x"));
    assertMistake(temp.resolve("none.zip").toString(), "holds no .jsonl file");
  }

  private static void zip(Path file, Map<String, String> entries) throws IOException {
    try (var out = new ZipOutputStream(Files.newOutputStream(file))) {
      for (var entry : entries.entrySet()) {
        out.putNextEntry(new ZipEntry(entry.getKey()));
        out.write(entry.getValue().getBytes(UTF_8));
      }
    }
  }

  @Test
  void wikitextIsSplitAtItsTitles() throws IOException {
    write("wikitext2-test.txt", " \n = First = \n \n = = Section = = \n text\n = Second = \n more\n");
    var task = open("wikitext2");
    assertThat(items(task)).containsExactly(new Item.Text(1, " \n = First = \n \n = = Section = = \n text\n"),
        new Item.Text(6, " = Second = \n more\n"));
    assertThat(task.note()).contains("not comparable");
  }

  @Test
  void usersFilesAreOfFourFormats() throws IOException {
    var choices = write("own.jsonl", QUESTION);
    assertThat(items(open(choices.toString()))).containsExactly(
        new Item.Choices(1, "Question: why?\n", List.of("so", "for a {reason}"), 1));
    assertThat(open(choices.toString()).version()).matches("data [0-9a-f]{12}");
    assertThat(open(choices.toString()).name()).isEqualTo(choices.toString());
    assertThat(items(open(write("own.jsonl", "{\"context\": \"a\", \"continuation\": \"b\"}").toString()))).containsExactly(
        new Item.Continuation(1, "a", "b"));
    assertThat(items(open(write("own.jsonl", "{\"text\": \"a\\nb\"}").toString()))).containsExactly(new Item.Text(1, "a\nb"));
    assertThat(items(open(write("own.txt", "a\nb\n<|endoftext|>\n \n<|endoftext|>\r\nc").toString()))).containsExactly(
        new Item.Text(1, "a\nb\n"), new Item.Text(6, "c"));
  }

  private void assertMistake(String name, String... said) {
    assertThatThrownBy(() -> open(name)).isInstanceOf(UserError.class).satisfies(error -> {
      assertThat(error.getMessage()).contains(said).doesNotContain("\n");
    });
  }

  @Test
  void unknownAndMissingTasksAreMistakes() throws IOException {
    assertMistake("pika",
        "The task 'pika' is unknown; use piqa, hellaswag, openbookqa, arc_easy, lambada, blimp, wikitext2, all or the path");
    assertMistake("no/such.jsonl", "There is no file no/such.jsonl");
    assertMistake("piqa", "The task piqa needs piqa.jsonl", temp.toString(), "--tasks-dir DIR", "WALSH_DATA");
    assertMistake("all", "The task piqa needs piqa.jsonl");
    assertMistake(write("own.csv", "a,b").toString(), "own.csv is of no known format; give JSON lines");
    assertMistake(write("own.jsonl", "\n").toString(), "own.jsonl holds no items");
    assertMistake(write("broken.jsonl.bz2", "no archive").toString(), "Cannot read");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {"[1]|is no JSON object", "{\"query\": |is not JSON (",
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"]}|has no field \"gold\"; add it",
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": null}|has no field \"gold\"",
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": 2}|\"gold\" is 2, but choices are counted from 0 to 1",
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": -1}|\"gold\" is -1",
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": 0.5}|\"gold\" is 0.5; give a whole number",
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": \"b\"}|\"gold\" is \"b\"; give a whole number",
      "{\"query\": 3, \"choices\": [\"a\", \"b\"], \"gold\": 0}|\"query\" is 3; give a text",
      "{\"query\": \"q\", \"choices\": [], \"gold\": 0}|the list of choices is empty",
      "{\"query\": \"q\", \"choices\": [\"a\"], \"gold\": 0}|has one choice; give at least 2",
      "{\"query\": \"q\", \"choices\": [\"a\", \"\"], \"gold\": 0}|choice 1 is empty",
      "{\"query\": \"q\", \"choices\": [\"a\", 2], \"gold\": 0}|\"choices\" holds 2; give texts",
      "{\"query\": \"q\", \"choices\": \"a\", \"gold\": 0}|\"choices\" is \"a\"; give a list"})
  void aBadItemNamesItsLineAndField(String line, String said) throws IOException {
    assertMistake(write("own.jsonl", QUESTION + "\n" + line + "\n").toString(), "Line 2 of ", "own.jsonl", said);
  }

  @Test
  void otherBadItemsNameTheirLineToo() throws IOException {
    assertMistake(write("own.jsonl", "{\"context\": \"a\", \"continuation\": \"\"}").toString(), "Line 1 of ", "the continuation is empty");
    assertMistake(write("own.jsonl", "{\"text\": \"\"}").toString(), "Line 1 of ", "the text is empty");
    assertMistake(write("own.jsonl", "{\"query\": \"a\", \"choices\": [\"b\", \"c\"]}").toString(), "Line 1 of ",
        "is in no known format, for it has the fields [choices, query]; give it those of one of [[query, choices, gold],");
    Files.write(temp.resolve("own.jsonl"), new byte[] {'{', '"', (byte) 0xFF});
    assertMistake(temp.resolve("own.jsonl").toString(), "Line 1 of ", "is not UTF-8");
  }

  /** The whole data, where they are. */
  @Test
  void theRealFilesAreThoseOfTheVersions() {
    Assumptions.assumeTrue(System.getenv("WALSH_DATA") != null, "WALSH_DATA, a folder with tasks/ and corpus/, is not set");
    var tasks = Tasks.open(Tasks.folder(), List.of(Tasks.ALL));
    assertThat(tasks).extracting(Task::name).isEqualTo(Tasks.names());
    assertThat(tasks).extracting(Task::items).containsExactly(1838, 10_042, 500, 2376, 5153, 67_000, 62);
    assertThat(tasks).extracting(Task::version).containsOnly("1");
    assertThat(tasks.get(5).sets()).hasSize(67).allSatisfy(set -> assertThat(set.items()).hasSize(1000));
  }
}
