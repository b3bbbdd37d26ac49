package dev.walsh.report;

/** Verbatim text behind a line that opens it, such as a configuration's JSON. */
public record Details(String summary, String text) implements Block {
  @Override
  public String toHtml() {
    return "<details><summary>" + Markup.escape(summary) + "</summary><pre>" + Markup.escape(text) + "</pre></details>\n";
  }
}
