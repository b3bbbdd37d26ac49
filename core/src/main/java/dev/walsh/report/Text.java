package dev.walsh.report;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** A paragraph: runs of words and of numbers, each number with its unrounded value. */
public record Text(List<Span> spans) implements Block {
  public Text {
    spans = List.copyOf(spans);
  }

  public static Text of(String words) {
    return new Text(List.of(Span.of(words)));
  }

  /** This paragraph with more words after it; spaces are the caller's. */
  public Text then(String words) {
    return then(Span.of(words));
  }

  /** This paragraph with a number after it. */
  public Text then(Span span) {
    var longer = new ArrayList<>(spans);
    longer.add(span);
    return new Text(longer);
  }

  /** The words and numbers as the reader sees them. */
  @Override
  public String toString() {
    return spans.stream().map(Span::text).collect(Collectors.joining());
  }

  String toInlineHtml() {
    return spans.stream().map(Span::toHtml).collect(Collectors.joining());
  }

  @Override
  public String toHtml() {
    return "<p>" + toInlineHtml() + "</p>\n";
  }
}
