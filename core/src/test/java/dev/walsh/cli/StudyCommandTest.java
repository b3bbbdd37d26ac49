package dev.walsh.cli;

import dev.walsh.tensor.Device;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

/** The smoke plan from end to end; every figure of its report is worked out again from the records, as any other program would read them. */
final class StudyCommandTest {
  private static final Path PLAN = Path.of("..", "plans", "smoke.json");
  /** Student's t for one degree of freedom at 97.5%. */
  private static final double T = 12.7062;
  @TempDir
  static Path out;
  private static String shown = "";
  private static Element page;

  @AfterAll
  static void allThreadsAgain() {
    Device.setThreads(Runtime.getRuntime().availableProcessors());
  }

  @BeforeAll
  static void study() throws Exception {
    // The project's own sources stand in for the JDK's, so that nothing outside of the test is touched.
    shown = Outcome.of("study", PLAN, "--data", Path.of("src", "main", "java"), "--out", out, "--device", "cpu", "--threads", 1).text();
    page = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(Files.readString(out.resolve(
        "report.html"))))).getDocumentElement();
  }

  private static JsonNode record(String arm, int seed) throws IOException {
    try (var files = Files.list(out.resolve("cells"))) {
      var name = "nano_" + arm + "_.*_seed" + seed + "\\.json";
      return new JsonMapper().readTree(files.filter(f -> f.getFileName().toString().matches(name)).findFirst().orElseThrow());
    }
  }

  private static double loss(String arm, int seed) throws IOException {
    return record(arm, seed).get("validationLoss").valueStream().findFirst().orElseThrow().asDouble();
  }

  /** The numbers of an arm's row in the table under a caption. */
  private static List<Double> row(String caption, String arm) {
    var tables = page.getElementsByTagName("table");
    for (int i = 0; i < tables.getLength(); i++) {
      var table = (Element) tables.item(i);
      if (!table.getTextContent().contains(caption)) continue;
      var rows = table.getElementsByTagName("tr");
      for (int r = 0; r < rows.getLength(); r++) {
        var row = (Element) rows.item(r);
        var head = row.getElementsByTagName("th").item(0);
        if (head == null || !head.getTextContent().equals(arm)) continue;
        var values = new ArrayList<Double>();
        var spans = row.getElementsByTagName("span");
        for (int s = 0; s < spans.getLength(); s++) {
          var value = ((Element) spans.item(s)).getAttribute("data-value");
          if (!value.isEmpty()) values.add(Double.valueOf(value));
        }
        return values;
      }
    }
    throw new AssertionError("no row " + arm + " under " + caption);
  }

  @Test
  void lossesAndTheirPairedDifferenceAreThoseOfTheRecords() throws IOException {
    double dense = (loss("dense", 0) + loss("dense", 1)) / 2;
    double hadamard = (loss("hadamard", 0) + loss("hadamard", 1)) / 2;
    double first = loss("hadamard", 0) - loss("dense", 0);
    double second = loss("hadamard", 1) - loss("dense", 1);
    var values = row("differences are paired by seed", "hadamard");
    assertThat(values.get(0)).as("seeds").isEqualTo(2);
    assertThat(values.get(2)).isCloseTo(hadamard, within(1e-12));
    assertThat(values.get(3)).isCloseTo(hadamard - dense, within(1e-12));
    assertThat(values.get(4)).as("the standard error of two values is half of their distance").isCloseTo(T * Math.abs(first - second) / 2,
        within(1e-5));
    assertThat(row("differences are paired by seed", "dense").get(2)).isCloseTo(dense, within(1e-12));
  }

  @Test
  void theDifferenceAtEqualFlopsIsReadOffTheCurves() throws IOException {
    double sum = 0;
    for (int seed = 0; seed < 2; seed++) {
      var arm = validations("hadamard", seed);
      var dense = validations("dense", seed);
      double flops = arm.getLast().get("flops").asDouble();
      int after = 0;
      while (dense.get(after).get("flops").asDouble() < flops)
        after++;
      double low = dense.get(after - 1).get("flops").asDouble();
      double high = dense.get(after).get("flops").asDouble();
      double share = (Math.log(flops) - Math.log(low)) / (Math.log(high) - Math.log(low));
      sum += text(arm.getLast()) - ((1 - share) * text(dense.get(after - 1)) + share * text(dense.get(after)));
    }
    assertThat(row("differences are paired by seed", "hadamard").get(5)).isCloseTo(sum / 2, within(1e-9));
  }

  private static List<JsonNode> validations(String arm, int seed) throws IOException {
    var lines = Files.readAllLines(out.resolve("cells").resolve(record(arm, seed).get("id").asString() + ".jsonl"));
    return lines.stream().map(line -> new JsonMapper().readTree(line)).filter(node -> node.has("validationLoss")).toList();
  }

  private static double text(JsonNode reading) {
    return reading.get("validationLoss").valueStream().findFirst().orElseThrow().asDouble();
  }

  @Test
  void whatTheArmsTakeIsThatOfTheRecords() throws IOException {
    for (var arm : List.of("dense", "hadamard")) {
      var sizes = record(arm, 0).get("sizes");
      double speed = (record(arm, 0).get("tokensPerSecond").asDouble() + record(arm, 1).get("tokensPerSecond").asDouble()) / 2;
      var values = row("What the arms take", arm);
      assertThat(values).contains(sizes.get("parameters").asDouble(), sizes.get("attentionParameters").asDouble(), sizes.get("flopsAToken")
          .asDouble());
      assertThat(values).anySatisfy(v -> assertThat(v).isCloseTo(speed, within(1e-9 * speed)));
    }
  }

  @Test
  void theFolderHoldsEverythingAndNothingIsTrainedTwice() throws IOException {
    assertThat(shown).contains("4 of 4 cells are finished", "The paper's claims", "Report: " + out.resolve("report.html"));
    assertThat(out.resolve("report.html")).content().contains("<svg").doesNotContain("src=\"http", "href=\"http", "url(http");
    assertThat(out.resolve("figures")).isDirectoryContaining("glob:**/*gap-to-dense.svg").isDirectoryContaining(
        "glob:**/*validation-loss.csv").isDirectoryContaining("glob:**/verdicts*.csv");
    assertThat(out.resolve("cells")).isDirectoryNotContaining("glob:**/*.lock");
    var before = Files.getLastModifiedTime(out.resolve("plan.json"));
    assertThat(Outcome.of("study", PLAN, "--out", out, "--dry-run").text()).contains("4 cells, 4 finished");
    assertThat(Outcome.of("study", PLAN, "--out", out, "--report-only").text()).contains("The paper's claims");
    assertThat(Files.getLastModifiedTime(out.resolve("plan.json"))).isEqualTo(before);
  }

  @Test
  void aStudyStandsBesideThePaper() throws IOException {
    var folder = out.resolve("beside");
    var beside = Outcome.of("reproduce", "all", "--study", out, "--out", folder).text();
    assertThat(beside).contains("── Table 1 ──", "── Table 2 ──", "── Figure 3 ──", "── Table 4 ──", "── Figure 4 ──")
        .contains("65.9", "123.6M", "80.126", "paper, one", "We ran no task here", "── Table 3 ──", "── Figure 8 ──",
            "Nothing of decode has been measured");
    assertThat(folder.resolve("figures").resolve("figure-4-final-losses.csv")).content().contains(" tokens, 2 seeds\",");
    assertThat(folder.resolve("reproduce.html")).content().contains(Double.toString((loss("dense", 0) + loss("dense", 1)) / 2));
  }

  /** Without a Hadamard projection nothing is said of the paper's claims, but of every arm, and of states of one size. */
  @Test
  void aStudyOfAttentionHoldsItsArmsAgainstSoftmax() throws IOException {
    var folder = out.resolve("attention");
    var plan = Path.of("..", "plans", "attention-smoke.json");
    var text = Outcome.of("study", plan, "--data", Path.of("src", "main", "java"), "--out", folder, "--device", "cpu", "--threads", 1)
        .text();
    assertThat(text).contains("7 of 7 cells are finished", "Each arm against dense", "hadamard+hla:2x8", "undecided",
        "Against dense, at ").doesNotContain("The paper's claims");
    assertThat(folder.resolve("report.html")).content().contains("The plan has no arm hadamard", "Linear attention by its state")
        .doesNotContain("to hadamard");
    assertThat(folder.resolve("cells")).isDirectoryContaining("glob:**/tiny_hadamard-hla-2x8_*.json");
  }

  @Test
  void mistakesAreOneSentenceAndStatusTwo() throws IOException {
    var none = out.resolve("none");
    Outcome.of("study", out.resolve("no.json"), "--out", none).isMistake("Cannot read the plan", "no.json");
    Outcome.of("study", PLAN, "--out", none, "--only", "nana").isMistake("no group nana", "nano");
    Outcome.of("study", PLAN, "--out", none, "--minutes", "0").isMistake("--minutes is 0.0");
    Outcome.of("study", PLAN, "--out", none, "--report-only").isMistake("holds no study");
    var bad = Files.writeString(out.resolve("bad.json"), Files.readString(PLAN).replace("\"hadamard\"", "\"fourier\""));
    Outcome.of("study", bad, "--out", none).isMistake("bad.json line ", "groups[0]", "'fourier' is unknown");
    var tasks = Files.writeString(out.resolve("tasks.json"),
        Files.readString(PLAN).replace("\"seeds\"", "\"tasks\": [\"chess\"], \"seeds\""));
    Outcome.of("study", tasks, "--out", none, "--tasks-dir", out, "--device", "cpu").isMistake("chess");
    Outcome.of("reproduce", "table9", "--out", none).isMistake("table9", "no table or figure");
    Outcome.of("reproduce", "table3", "--results", none, "--out", none).isMistake("--results", "is no folder");
    Outcome.of("reproduce", "fig4", "--scale", "paper", "--out", none).isMistake("--data");
    assertThat(none).doesNotExist();
  }
}
