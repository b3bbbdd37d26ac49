package dev.walsh.report;

/** A named piece of verbatim text, such as what a model wrote: monospaced, line breaks kept, control characters made visible. */
public record Sample(String name, String text) implements Block {
  @Override
  public String toHtml() {
    return "<figure class=\"sample\"><figcaption>" + Markup.escape(name) + "</figcaption><pre>" + Markup.escape(text) + "</pre></figure>\n";
  }
}
