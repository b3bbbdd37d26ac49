package dev.walsh.report;

import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A self-contained page: one HTML file that needs no network, for light and dark, screen, phone and paper. The calls assemble it from top
 * to bottom. Numbers carry their unrounded values in {@code data-value}; the markup is also well-formed XML.
 *
 * <pre>{@code
 * HtmlReport.titled("Dense against Hadamard").fact("device", "CPU, 2 cores").verdict(Text.of("No difference that one seed can show."))
 *     .section("Summary", table).section("Curves", Columns.of(byTokens, bySeconds)).writeTo(out.resolve("report.html"));
 * }</pre>
 */
public final class HtmlReport {
  private final String title;
  private final StringBuilder facts = new StringBuilder();
  private final StringBuilder body = new StringBuilder();
  private final List<Text> footnotes = new ArrayList<>();

  private HtmlReport(String title) {
    this.title = title;
  }

  public static HtmlReport titled(String title) {
    return new HtmlReport(title);
  }

  /** A fact under the title, such as the date, the device, the commit or the command. */
  public HtmlReport fact(String name, String value) {
    facts.append("<div><dt>").append(Markup.escape(name)).append("</dt><dd>").append(Markup.escape(value)).append("</dd></div>\n");
    return this;
  }

  /** The sentence that the page exists for, set large. */
  public HtmlReport verdict(Text sentence) {
    body.append("<p class=\"verdict\">").append(sentence.toInlineHtml()).append("</p>\n");
    return this;
  }

  public HtmlReport section(String heading, Block... blocks) {
    body.append("<section>\n<h2>").append(Markup.escape(heading)).append("</h2>\n");
    for (var block : blocks) {
      body.append(block.toHtml());
    }
    body.append("</section>\n");
    return this;
  }

  public HtmlReport section(Section part) {
    return section(part.heading(), part.blocks().toArray(Block[]::new));
  }

  /** A note at the foot of the page. */
  public HtmlReport footnote(Text note) {
    footnotes.add(note);
    return this;
  }

  /** The whole page. */
  public String toHtml() {
    var out = new StringBuilder();
    // CDATA behind comments: browsers see plain styles and script, XML readers see text that may hold & and <.
    out.append("""
        <!DOCTYPE html>
        <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <meta name="color-scheme" content="light dark"/>
        <title>%s</title>
        <style>/*<![CDATA[*/
        %s%s/*]]>*/</style>
        </head>
        <body>
        <header>
        <h1>%s</h1>
        """.formatted(Markup.escape(title), Markup.resource("plot.css"), Markup.resource("report.css"), Markup.escape(title)));
    if (!facts.isEmpty()) {
      out.append("<dl>\n").append(facts).append("</dl>\n");
    }
    out.append("</header>\n<main>\n").append(body).append("</main>\n");
    if (!footnotes.isEmpty()) {
      out.append("<footer>\n");
      footnotes.forEach(note -> out.append(note.toHtml()));
      out.append("</footer>\n");
    }
    return out.append("<script>/*<![CDATA[*/\n").append(Markup.resource("report.js")).append("/*]]>*/</script>\n</body>\n</html>\n")
        .toString();
  }

  /**
   * Writes the page, whole or not at all: an earlier file stays as it was until the new one is complete.
   *
   * @throws UserError where the file cannot be written
   */
  public void writeTo(Path file) {
    Disk.write(file, toHtml().getBytes(StandardCharsets.UTF_8));
  }
}
