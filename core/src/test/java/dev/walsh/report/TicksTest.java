package dev.walsh.report;

import dev.walsh.report.Ticks.Tick;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Assume;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

final class TicksTest {
  @Property
  void linearTicksAreFewInsideAndRising(@ForAll("numbers") double a, @ForAll("numbers") double b, @ForAll Format format) {
    double low = Math.min(a, b);
    double high = Math.max(a, b);
    Assume.that(high - low > 1e-11 * Math.max(Math.abs(low), Math.abs(high)));
    assertSensible(Ticks.of(Axis.linear("x", "", format), low, high).ticks(), low, high);
  }

  @Property
  void linearTicksOfNarrowRangesAreDistinct(@ForAll("numbers") double low, @ForAll("shares") double share, @ForAll Format format) {
    double high = low + share * Math.abs(low);
    Assume.that(Math.abs(low) > 1e-200);
    assertSensible(Ticks.of(Axis.linear("x", "", format), low, high).ticks(), low, high);
  }

  @Property
  void logarithmicTicksAreFewInsideAndRising(@ForAll("exponents") double a, @ForAll("exponents") double b, @ForAll Format format) {
    double low = Math.pow(10, Math.min(a, b));
    double high = Math.pow(10, Math.max(a, b));
    Assume.that(high > low * (1 + 1e-11));
    assertSensible(Ticks.of(Axis.log("x", "", format), low, high).ticks(), low, high);
  }

  private static void assertSensible(List<Tick> ticks, double low, double high) {
    assertThat(ticks).hasSizeBetween(3, 8);
    assertThat(ticks).extracting(Tick::value).isSorted().doesNotHaveDuplicates().allMatch(v -> low <= v && v <= high);
    assertThat(ticks).extracting(Tick::label).doesNotHaveDuplicates().noneMatch(String::isBlank);
  }

  @Provide
  Arbitrary<Double> numbers() {
    return Arbitraries.oneOf(Arbitraries.doubles().between(-1e280, 1e280), Arbitraries.doubles().between(-1e6, 1e6),
        Arbitraries.doubles().between(-1, 1).ofScale(9));
  }

  @Provide
  Arbitrary<Double> shares() {
    return Arbitraries.doubles().between(-11, 0).map(exponent -> Math.pow(10, exponent));
  }

  @Provide
  Arbitrary<Double> exponents() {
    return Arbitraries.oneOf(Arbitraries.doubles().between(-280, 280), Arbitraries.doubles().between(-3, 3));
  }

  @Test
  void labelsShareDecimalsAndPrefix() {
    assertThat(labels(Axis.linear("", "", Format.PLAIN), 1.2, 2.4)).containsExactly("1.2", "1.4", "1.6", "1.8", "2.0", "2.2", "2.4");
    assertThat(labels(Axis.linear("", "", Format.COUNT), 0, 2e6)).containsExactly("0", "0.5M", "1.0M", "1.5M", "2.0M");
    assertThat(labels(Axis.linear("", "", Format.PLAIN), -0.5, 0.5)).containsExactly("−0.4", "−0.2", "0", "0.2", "0.4");
  }

  @Test
  void logarithmicLabelsStandForThemselves() {
    assertThat(labels(Axis.log("", "", Format.COUNT), 5e2, 2e7)).containsExactly("1k", "10k", "100k", "1M", "10M");
    assertThat(labels(Axis.log("", "", Format.PLAIN), 1e-6, 1)).containsExactly("10⁻⁶", "10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1");
    assertThat(labels(Axis.log("", "", Format.PLAIN), 1, 30)).containsExactly("1", "3", "10", "30");
    assertThat(labels(Axis.log("", "", Format.PLAIN), 1.7, 2.1)).containsExactly("1.7", "1.8", "1.9", "2.0", "2.1");
  }

  @Test
  void timesAndSizesTakeTheUnitThatSuitsTheRange() {
    var minutes = Ticks.of(Axis.linear("", "", Format.SECONDS), 0, 300);
    assertThat(minutes.unit()).isEqualTo("min");
    assertThat(minutes.ticks()).contains(new Tick(300, "5"));
    var lateSeconds = Ticks.of(Axis.linear("", "", Format.SECONDS), 3600, 3610);
    assertThat(lateSeconds.unit()).isEqualTo("s");
    var sizes = Ticks.of(Axis.linear("", "", Format.BYTES), 0, 5 * 0x1p30);
    assertThat(sizes.unit()).isEqualTo("GiB");
    assertThat(sizes.ticks()).contains(new Tick(0x1p31, "2"));
  }

  @Test
  void anAwkwardPowerOfTenMovesToTheUnit() {
    var small = Ticks.of(Axis.linear("", "m", Format.PLAIN), 0, 3e-9);
    assertThat(small.unit()).isEqualTo("×10⁻⁹ m");
    assertThat(small.ticks()).contains(new Tick(2e-9, "2"));
  }

  private static List<String> labels(Axis axis, double low, double high) {
    return Ticks.of(axis, low, high).ticks().stream().map(Tick::label).toList();
  }
}
