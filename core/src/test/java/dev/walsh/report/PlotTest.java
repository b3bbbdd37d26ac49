package dev.walsh.report;

import dev.walsh.config.Json;
import dev.walsh.report.Series.Fit;
import dev.walsh.report.Series.Point;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

final class PlotTest {
  private static final Axis X = Axis.linear("tokens", "", Format.COUNT);
  private static final Axis Y = Axis.linear("loss", "nats", Format.PLAIN);
  private static final Axis LOG_X = Axis.log("compute", "FLOPs", Format.COUNT);
  private static final Axis LOG_Y = Axis.log("loss", "nats", Format.PLAIN);

  private static Document svg(Axis x, Axis y, Series... series) {
    return Xml.parse(Plot.of("A plot", x, y, List.of(series)).toSvg());
  }

  private static String line(Document svg) {
    // The first line of a picture is its legend's.
    return Xml.withClass(svg, "line").get(1).getAttribute("d");
  }

  /** A point as the picture lists it: its pixels and its values. */
  private record Drawn(double left, double top, Point point) {}

  private static List<Drawn> drawn(Document svg) {
    return Xml.withClass(svg, "series").stream().flatMap(group -> Json.LINE.readTree(group.getAttribute("data-points")).valueStream())
        .map(p -> new Drawn(p.get(0).asDouble(), p.get(1).asDouble(), new Point(p.get(2).asDouble(), p.get(3).asDouble()))).toList();
  }

  @Property(tries = 200)
  void anyPointsMakeAWellFormedPictureInsideItsFrame(@ForAll @Size(max = 20) List<Double> xs,
      @ForAll @Size(min = 20, max = 20) List<Double> ys,
      @ForAll boolean log) {
    var points = xs.stream().map(x -> new Point(x, ys.get(xs.indexOf(x)))).toList();
    var plot = Plot.of("A plot", log ? LOG_X : X, log ? LOG_Y : Y, List.of(Series.of("any", points)));
    assertThat(drawn(Xml.parse(plot.toSvg()))).allMatch(p -> p.left() >= 0 && p.left() <= 420 && p.top() >= 0 && p.top() <= 280);
    assertThat(plot.toSvg()).doesNotContain("NaN", "Infinity");
  }

  @Test
  void pointsKeepTheirExactValues() {
    var points = List.of(new Point(0.1, Math.PI), new Point(1e17, -1e-17));
    assertThat(drawn(svg(X, Y, Series.of("dense", points)))).extracting(Drawn::point).isEqualTo(points);
  }

  @Test
  void nanLeavesAGap() {
    var svg = svg(X, Y,
        Series.of("s", List.of(new Point(1, 1), new Point(2, 2), new Point(3, Double.NaN), new Point(4, 1), new Point(5, 2))));
    assertThat(line(svg)).matches("M[\\d. ]+L[\\d. ]+M[\\d. ]+L[\\d. ]+");
    assertThat(drawn(svg)).hasSize(4);
  }

  @Test
  void zeroAndLessLeaveAGapOnALogarithmicAxis() {
    var svg = svg(LOG_X, LOG_Y, Series.of("s", List.of(new Point(0, 1), new Point(1, 1), new Point(10, -1), new Point(100, 2))));
    assertThat(drawn(svg)).hasSize(2);
  }

  @Test
  void decadesAreEquallyFarApartOnALogarithmicAxis() {
    var drawn = drawn(svg(LOG_X, LOG_Y, Series.of("s", List.of(new Point(1e12, 1), new Point(1e13, 10), new Point(1e14, 100)))));
    assertThat(drawn.get(1).left() - drawn.get(0).left()).isCloseTo(drawn.get(2).left() - drawn.get(1).left(), within(0.11));
    assertThat(drawn.get(0).top() - drawn.get(1).top()).isCloseTo(drawn.get(1).top() - drawn.get(2).top(), within(0.11)).isPositive();
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1, -3.5, 1e-300, 1e15, 1e279})
  void equalValuesAndSinglePointsHaveAPlace(double value) {
    assertThat(drawn(svg(X, Y, Series.of("one", List.of(new Point(value, value)))))).hasSize(1);
    assertThat(drawn(svg(X, Y, Series.of("flat", List.of(new Point(1, value), new Point(2, value)))))).hasSize(2);
  }

  @Test
  void aPointBetweenGapsIsMarked() {
    var points = new ArrayList<Point>();
    for (int i = 0; i < 100; i++) {
      points.add(new Point(i, i == 50 || i == 52 ? Double.NaN : i));
    }
    var titles = Xml.elements(svg(X, Y, Series.of("s", points)), "title").stream().map(Element::getTextContent);
    assertThat(titles).contains("s: 51 at 51");
  }

  @Test
  void withoutDataItSaysSo() {
    for (var series : List.of(List.<Series>of(), List.of(Series.of("none", List.of())),
        List.of(Series.of("nan", List.of(new Point(1, Double.NaN)))))) {
      var plot = Plot.of("Empty", X, LOG_Y, series);
      assertThat(Xml.parse(plot.toSvg()).getDocumentElement().getTextContent()).contains("no data");
      assertThat(Xml.parse(plot.toHtml()).getDocumentElement().getTextContent()).contains("no data");
    }
  }

  @Test
  void pointsFarOutsideTheRangeShownAreCutOff() {
    var svg = Plot
        .of("Cut", X.within(1, 1 + 1e-9), Y.within(1, 2), List.of(Series.of("s", List.of(new Point(1, 1), new Point(1e279, -1e279)))))
        .toSvg();
    assertThat(svg).doesNotContain("Infinity", "NaN").contains("L100000.0 100000.0");
  }

  @Test
  void anEmptySeriesKeepsItsColour() {
    var svg = svg(X, Y, Series.of("none", List.of()), Series.of("some", List.of(new Point(1, 1))));
    assertThat(Xml.withClass(svg, "s1")).extracting(e -> e.getAttribute("data-name")).contains("some");
  }

  @Test
  void aPowerLawIsAStraightDashedLineWithItsExponent() {
    var fit = Fit.powerLaw(2, -0.5, new Axis.Range(1, 1e4), new Span("exponent −0.5", -0.5));
    assertThat(fit.line()).containsExactly(new Point(1, 2), new Point(1e4, 0.02));
    var plot = Plot.of("Fit", LOG_X, LOG_Y, List.of(Series.of("s", List.of(new Point(1, 2), new Point(1e4, 0.02))).fit(fit)));
    assertThat(Xml.withClass(Xml.parse(plot.toSvg()), "fit")).hasSize(1);
    assertThat(Xml.values(Xml.parse(plot.toHtml()))).contains(-0.5);
  }

  @Test
  void namesAreEscaped() {
    var plot = Plot.of("<b> & \"title\"", X, Y, List.of(Series.of("a<b>&'\"c", List.of(new Point(1, 1))))).caption("]]> <script>");
    assertThat(Xml.withClass(Xml.parse(plot.toSvg()), "series").getFirst().getAttribute("data-name")).isEqualTo("a<b>&'\"c");
    assertThat(Xml.elements(Xml.parse(plot.toHtml()), "figcaption").getFirst().getTextContent()).isEqualTo("<b> & \"title\"");
  }

  @Test
  void rangesMustSuitTheirAxis() {
    assertThatIllegalArgumentException().isThrownBy(() -> LOG_X.within(0, 1));
    assertThatIllegalArgumentException().isThrownBy(() -> X.within(2, 1));
    assertThatIllegalArgumentException().isThrownBy(() -> X.within(0, Double.POSITIVE_INFINITY));
  }

  @Test
  void aHeatMapShowsEachNumberOnTheColourOfItsSide() {
    var map = Demo.speeds();
    for (var document : List.of(Xml.parse(map.toSvg()), Xml.parse(map.toHtml()))) {
      assertThat(Xml.values(document)).containsExactly(0.93, 0.95, 1.0, 1.0625, 1.07);
      assertThat(Xml.withClass(document, "none")).hasSize(1);
      assertThat(Xml.withClass(document, "value").stream().map(Element::getTextContent)).containsExactly("0.930", "0.950", "1.000", "1.063",
          "1.070");
      var below = Xml.withClass(document, "below").stream().map(e -> Double.parseDouble(e.getAttribute("fill-opacity"))).toList();
      assertThat(below.reversed().get(1)).as("farther from one is stronger").isGreaterThan(below.getLast());
    }
    assertThatIllegalArgumentException().isThrownBy(() -> new HeatMap("t", "", "r", List.of("1"), "c", List.of("1"), List.of()));
  }
}
