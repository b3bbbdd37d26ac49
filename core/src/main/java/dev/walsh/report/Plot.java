package dev.walsh.report;

import java.util.List;

/** A line plot: its title, a caption that may be empty, two axes, and its series in the order of their colours. */
public record Plot(String title, String caption, Axis x, Axis y, List<Series> series) implements Block {
  public Plot {
    series = List.copyOf(series);
  }

  public static Plot of(String title, Axis x, Axis y, List<Series> series) {
    return new Plot(title, "", x, y, series);
  }

  public Plot caption(String text) {
    return new Plot(title, text, x, y, series);
  }

  /** A picture in a file of its own: SVG with its title, legend and styles, for light and dark. */
  public String toSvg() {
    return new SvgPlot(this).standalone();
  }

  /** A figure of the page: title, legend, picture and caption; the page's script adds values under the pointer. */
  @Override
  public String toHtml() {
    var out = new StringBuilder("<figure class=\"plot\">\n<figcaption>").append(Markup.escape(title)).append("</figcaption>\n");
    out.append("<ul class=\"legend\">");
    for (int i = 0; i < series.size(); i++) {
      out.append("<li><svg class=\"plot\" viewBox=\"0 -6 26 12\" width=\"26\" height=\"12\" aria-hidden=\"true\">")
          .append(Mark.of(i).sample())
          .append("</svg>").append(Markup.escape(series.get(i).name()));
      var fit = series.get(i).fit();
      if (fit != null) {
        out.append(" <small>").append(fit.label().toHtml()).append("</small>");
      }
      out.append("</li>");
    }
    out.append("</ul>\n<div class=\"picture\">").append(new SvgPlot(this).inPage()).append("</div>\n");
    // There even where empty: figures side by side share rows for title, legend, picture and caption.
    return out.append("<p class=\"caption\">").append(Markup.escape(caption)).append("</p>\n</figure>\n").toString();
  }
}
