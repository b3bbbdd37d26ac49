package dev.walsh.study;

import dev.walsh.data.Dataset;
import dev.walsh.measure.Stamp;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.train.Interruption;
import dev.walsh.train.TinyRun;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

/** Every figure of the page is worked out again, from {@code metrics.jsonl} as any other program would read it. */
final class ComparisonReportTest {
  private static final int SEEDS = 2;
  private static final double TOKENS_A_BYTE = 0.5;
  private static final List<String> ARMS = List.of("dense", "hadamard");
  @TempDir
  static Path out;
  private static ComparisonReport report;
  private static Element page;

  @BeforeAll
  static void compare() throws Exception {
    try (var data = Dataset.open(TinyRun.data(out)); var interruption = Interruption.listen()) {
      var comparison = new Comparison(Arm.of(TinyRun.MODEL, List.of("hadamard")), TinyRun.recipe(40), SEEDS, data, out.resolve("data"),
          Device.CPU, Dtype.F32, 1e12);
      boolean finished = comparison.run(out, interruption, warning -> {
        throw new AssertionError(warning);
      });
      new ComparisonRecord(comparison.arms(), comparison.recipe(), SEEDS, "f32", "words", "bytes", TOKENS_A_BYTE, finished,
          new Stamp("today", "here", "abc", "./walsh compare")).write(out);
    }
    report = ComparisonReport.read(out);
    var html = report.page(Map.of("dense", "the matrix")).toHtml();
    page = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(html))).getDocumentElement();
  }

  private static List<JsonNode> lines(String arm, int seed) throws IOException {
    var nodes = new ArrayList<JsonNode>();
    for (var line : Files.readAllLines(out.resolve(arm + "-seed" + seed).resolve("metrics.jsonl")))
      nodes.add(new JsonMapper().readTree(line));
    return nodes;
  }

  private static double validationLoss(String arm, int seed) throws IOException {
    return lines(arm, seed).stream().filter(n -> n.has("val_loss")).toList().getLast().get("val_loss").asDouble();
  }

  private static double meanValidationLoss(String arm) throws IOException {
    return (validationLoss(arm, 0) + validationLoss(arm, 1)) / 2;
  }

  private static List<Double> values(String tag, int row) {
    var rows = page.getElementsByTagName(tag);
    var values = new ArrayList<Double>();
    var all = ((Element) rows.item(row)).getElementsByTagName("*");
    for (int i = 0; i < all.getLength(); i++) {
      var value = ((Element) all.item(i)).getAttribute("data-value");
      if (!value.isEmpty()) values.add(Double.valueOf(value));
    }
    return values;
  }

  @Test
  void theTableIsThatOfTheLogs() throws IOException {
    double dense = meanValidationLoss("dense");
    double hadamard = meanValidationLoss("hadamard");
    var values = values("tr", 2);
    assertThat(values).as("the losses of the Hadamard row").contains(hadamard, hadamard - dense);
    assertThat(values).anySatisfy(v -> assertThat(v).isCloseTo(hadamard * TOKENS_A_BYTE / Math.log(2), within(1e-12)));
    double speed = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
      var steps = lines("hadamard", seed).stream().filter(n -> n.has("loss")).mapToDouble(n -> n.get("tokens_per_s").asDouble()).sorted()
          .toArray();
      speed += steps[steps.length / 2] / SEEDS;
    }
    // A mean added up in another order may differ in its last bit.
    double mean = speed;
    assertThat(values).anySatisfy(v -> assertThat(v).isCloseTo(mean, within(1e-12 * mean)));
    double last = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
      last += lines("hadamard", seed).stream().filter(n -> n.has("loss")).skip(38).mapToDouble(n -> n.get("loss").asDouble()).average()
          .orElseThrow() / SEEDS;
    }
    assertThat(values).as("the mean training loss of the last two of forty steps").contains(last);
  }

  @Test
  void theCurvesAreThoseOfTheLogs() throws IOException {
    for (var arm : ARMS) {
      var first = lines(arm, 0).stream().filter(n -> n.has("val_loss")).toList();
      var second = lines(arm, 1).stream().filter(n -> n.has("val_loss")).toList();
      var points = points("By data", arm);
      assertThat(points).hasSize(first.size());
      for (int i = 0; i < points.size(); i++) {
        assertThat(points.get(i).get(2).asDouble()).isEqualTo(first.get(i).get("tokens").asDouble());
        assertThat(points.get(i).get(3).asDouble())
            .isCloseTo((first.get(i).get("val_loss").asDouble() + second.get(i).get("val_loss").asDouble()) / 2, within(1e-12));
      }
    }
  }

  private static List<JsonNode> points(String plot, String arm) {
    var figures = page.getElementsByTagName("figure");
    for (int i = 0; i < figures.getLength(); i++) {
      var figure = (Element) figures.item(i);
      if (!figure.getTextContent().contains(plot)) continue;
      var groups = figure.getElementsByTagName("g");
      for (int j = 0; j < groups.getLength(); j++) {
        var group = (Element) groups.item(j);
        if (group.getAttribute("data-name").equals(arm)) {
          return new JsonMapper().readTree(group.getAttribute("data-points")).valueStream().toList();
        }
      }
    }
    throw new AssertionError("no series " + arm + " in " + plot);
  }

  @Test
  void allArmsSawTheSameTokensAndTheVerdictKeepsToTheInterval() throws IOException {
    for (int seed = 0; seed < SEEDS; seed++) {
      int s = seed;
      assertThat(ARMS).allSatisfy(arm -> assertThat(lines(arm, s).getLast().get("tokens").asLong()).isEqualTo(40L * 64));
    }
    var differences = IntStream.range(0, SEEDS).mapToDouble(s -> {
      try {
        return validationLoss("hadamard", s) - validationLoss("dense", s);
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }).toArray();
    double mean = (differences[0] + differences[1]) / 2;
    // Student's t for one degree of freedom, 12.706, times the standard error of two values, half of their distance.
    double margin = 12.7062 * Math.abs(differences[0] - differences[1]) / 2;
    assertThat(report.verdict()).startsWith("Hadamard, with ")
        .contains(Math.abs(mean) <= margin ? "no difference that 2 seeds can show" : "beyond the noise of 2 seeds");
  }
}
