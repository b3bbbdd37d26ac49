package dev.walsh.report;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

final class TableTest {
  private static final Table LOSSES = Table
      .of("After 1M tokens", Column.text("arm"), Column.number("validation loss", "nats"), Column.number("speed"))
      .row(Cell.of("dense"), Cell.of(1.31217, Format.PLAIN), Cell.of(950, Format.COUNT))
      .row(Cell.of("hadamard"), Cell.of(1.30755, Format.PLAIN).note(Span.difference(-0.00462, 4)), Cell.of(12_345, Format.COUNT));

  @Test
  void textLinesUp() {
    assertThat(LOSSES.toText(80)).isEqualTo("""
        After 1M tokens

                      validation
        arm                 loss   speed
                            nats
        ────────────────────────────────
        dense     1.3122             950
        hadamard  1.3076 −0.0046  12.35k
        """.replace("1.3122             950", "1.3122             950").replace("1.3076  −0.0046", "1.3076 −0.0046")
        .replace("─────────────────────────────────", "────────────────────────────────").replace("validation\n", "validation\n"));
  }

  @Test
  void aTooWideTableContinuesBelow() {
    assertThat(LOSSES.toText(24)).isEqualTo("""
        After 1M tokens

                      validation
        arm                 loss
                            nats
        ────────────────────────
        dense     1.3122
        hadamard  1.3076 −0.0046

        arm        speed
        ────────────────
        dense        950
        hadamard  12.35k
        """);
  }

  @Test
  void longTextWraps() {
    var claims = Table.of("", Column.text("claim"), Column.text("verdict")).row(
        Cell.of("The projection may be fixed without loss of quality"),
        Cell.of("undecided"));
    assertThat(claims.toText(36)).isEqualTo("""
        claim                      verdict
        ────────────────────────────────────
        The projection may be      undecided
        fixed without loss of
        quality
        """);
  }

  @Property
  void everyNumberSurvivesEveryWidth(@ForAll @IntRange(min = 1, max = 60) int width) {
    assertThat(LOSSES.toText(width)).contains("1.3122", "1.3076 −0.0046", "950", "12.35k", "dense", "hadamard");
    if (width >= 24) {
      assertThat(LOSSES.toText(width).lines()).allMatch(line -> line.length() <= width);
    }
  }

  @Test
  void csvIsUnroundedAndQuoted() {
    assertThat(LOSSES.toCsv()).isEqualTo("""
        arm,validation loss (nats),validation loss note,speed
        dense,1.31217,,950
        hadamard,1.30755,-0.00462,12345
        """);
    assertThat(Table.of("", Column.text("a,b")).row(Cell.of("say \"hi\"\n")).toCsv()).isEqualTo("\"a,b\"\n\"say \"\"hi\"\"\n\"\n");
  }

  @Test
  void htmlCarriesEveryValue() {
    var page = Xml.parse(LOSSES.toHtml());
    assertThat(Xml.values(page)).containsExactly(1.31217, 950.0, 1.30755, -0.00462, 12_345.0);
    assertThat(Xml.elements(page, "th")).extracting(e -> e.getAttribute("scope")).containsExactly("col", "col", "col", "row", "row");
  }

  @Test
  void emptyTablesAreDrawn() {
    var empty = Table.of("", Column.text("arm"), Column.number("loss"));
    assertThat(empty.toText(80)).isEqualTo("arm  loss\n─────────\n");
    assertThat(Xml.elements(Xml.parse(empty.toHtml()), "tr")).hasSize(1);
  }

  @Test
  void rowsMustFitTheColumns() {
    assertThatIllegalArgumentException().isThrownBy(() -> LOSSES.row(Cell.of("dense")));
    assertThatIllegalArgumentException().isThrownBy(() -> new Table("", List.of(), List.of()));
  }
}
