package dev.walsh.report;

/** A piece of a report's section. */
public sealed interface Block permits Text, Table, Plot, HeatMap, Sample, Details, Columns {
  /** This piece as a fragment of XHTML-compatible HTML; it looks as it should under the styles of {@link HtmlReport}. */
  String toHtml();
}
