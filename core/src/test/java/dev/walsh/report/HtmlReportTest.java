package dev.walsh.report;

import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class HtmlReportTest {
  @Test
  void theWholePageIsWellFormedAndNeedsNothingElse() throws IOException {
    var page = Demo.report().toHtml();
    var document = Xml.parse(page);
    assertThat(Xml.elements(document, "svg")).isNotEmpty();
    assertThat(Xml.elements(document, "*")).allMatch(e -> !e.hasAttribute("src") && !e.hasAttribute("href") && !e.hasAttribute("id"));
    assertThat(page.replace("http://www.w3.org/1999/xhtml", "")).doesNotContain("://", "@import", "url(");
    // For whoever wants to see it.
    Demo.report().writeTo(Path.of("target/report-demo/report.html"));
    Files.writeString(Path.of("target/report-demo/plot.svg"), Demo.byFlops().toSvg());
  }

  @Test
  void everyNumberCanBeReadBack() {
    var document = Xml.parse(Demo.report().toHtml());
    for (var arm : Demo.ARMS) {
      assertThat(Xml.values(document)).contains(arm.parameters(), arm.flops(), arm.bytes(), arm.tokensPerSecond());
      var curve = Xml.withClass(document, "series").stream().filter(e -> e.getAttribute("data-name").equals(arm.name())).findFirst()
          .orElseThrow();
      assertThat(Json.LINE.readTree(curve.getAttribute("data-points")).valueStream().map(p -> new Series.Point(p.get(2).asDouble(), p.get(3)
          .asDouble()))).isEqualTo(arm.curve(tokens -> tokens).points());
    }
  }

  @Property(tries = 300)
  void anyTextComesBackFromThePage(@ForAll String text) {
    var document = Xml.parse(HtmlReport.titled(text).fact("fact", text).section("samples", new Sample("s", text)).toHtml());
    var visible = text.codePoints().mapToObj(HtmlReportTest::visible).collect(Collectors.joining());
    assertThat(Xml.elements(document, "pre").getFirst().getTextContent()).isEqualTo(visible);
    assertThat(Xml.elements(document, "dd").getFirst().getTextContent()).isEqualTo(visible);
  }

  private static String visible(int c) {
    if (c < ' ' && c != '\n' && c != '\t') {
      return Character.toString(0x2400 + c);
    }
    boolean unwritable = c >= 0x80 && c <= 0x9f || c >= 0xd800 && c <= 0xdfff || (c & 0xfffe) == 0xfffe;
    return c == 0x7f ? "␡" : unwritable ? "\ufffd" : Character.toString(c);
  }

  @Test
  void scriptsInSamplesStayText() {
    var page = HtmlReport.titled("t").section("s", new Sample("s", "</pre><script>alert(1)</script>"), new Details("d", "]]>&amp;"))
        .toHtml();
    assertThat(Xml.elements(Xml.parse(page), "script")).hasSize(1);
    assertThat(Xml.elements(Xml.parse(page), "pre").getLast().getTextContent()).isEqualTo("]]>&amp;");
  }

  @Test
  void anEarlierPageIsReplacedWhole(@TempDir Path folder) throws IOException {
    var file = folder.resolve("new/report.html");
    HtmlReport.titled("first").writeTo(file);
    HtmlReport.titled("second").writeTo(file);
    assertThat(Files.readString(file)).isEqualTo(HtmlReport.titled("second").toHtml());
    try (var files = Files.list(file.getParent())) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void aPlaceThatCannotBeWrittenIsTheUsersToMend(@TempDir Path folder) throws IOException {
    var occupied = Files.writeString(folder.resolve("file"), "kept");
    assertThatThrownBy(() -> HtmlReport.titled("t").writeTo(occupied.resolve("report.html"))).isInstanceOf(UserError.class)
        .hasMessageContaining("report.html").hasMessageContaining(occupied + " already exists");
    assertThat(occupied).hasContent("kept");
    Files.createDirectories(folder.resolve("report.html/inside"));
    assertThatThrownBy(() -> HtmlReport.titled("t").writeTo(folder.resolve("report.html"))).isInstanceOf(UserError.class);
    assertThat(folder.resolve("report.html.tmp")).doesNotExist();
  }
}
