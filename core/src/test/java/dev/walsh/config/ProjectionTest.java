package dev.walsh.config;

import dev.walsh.config.ModelConfig.Query;
import dev.walsh.config.Projection.Mix;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** Every projection has one name, and a file that says no more than it had to when it was written still means the same. */
final class ProjectionTest {
  @Property
  void whatIsPrintedIsRead(@ForAll("projections") Projection projection) {
    assertThat(Projection.isName(projection.toString())).isTrue();
    assertThat(Projection.named(projection.toString())).isEqualTo(projection);
  }

  @Property
  void whatIsWrittenIsRead(@ForAll("projections") Projection projection) {
    assertThat(Json.LINE.readValue(Json.LINE.writeValueAsString(projection), Projection.class)).isEqualTo(projection);
  }

  @Provide
  Arbitrary<Projection> projections() {
    var flags = Arbitraries.of(true, false);
    var sizes = Arbitraries.integers().between(1, 4096).injectNull(0.3);
    var starts = Arbitraries.doubles().between(1e-6, 1e6).ofScale(6).injectNull(0.5);
    return Combinators.combine(Arbitraries.of(Mix.class), flags, flags, sizes, starts).as((mix, alpha, beta, size, start) -> new Projection(
        mix, alpha, beta, mix == Mix.BLOCK_DIAGONAL || mix == Mix.LOW_RANK ? size : null, alpha ? start : null));
  }

  @ParameterizedTest
  @CsvSource({"dense,DENSE,false,false", "hadamard,HADAMARD,true,true", "hadamard-folded,HADAMARD_FOLDED,true,true",
      "hadamard-beta,HADAMARD,true,false", "hadamard-alpha,HADAMARD,false,true", "identity-alpha-beta,IDENTITY,false,false",
      "hadamard-folded-alpha,HADAMARD_FOLDED,false,true", "dense+alpha+beta,DENSE,true,true", "block-diagonal,BLOCK_DIAGONAL,false,false"})
  void namesAreWhatTheySay(String name, Mix mix, boolean alpha, boolean beta) {
    assertThat(Projection.named(name)).isEqualTo(new Projection(mix, alpha, beta));
  }

  @Test
  void sizesAndStartsAreRead() {
    assertThat(Projection.named("block-diagonal:2")).isEqualTo(new Projection(Mix.BLOCK_DIAGONAL, false, false, 2, null));
    assertThat(Projection.named("low-rank:64").sizeAt(512)).isEqualTo(64);
    assertThat(Projection.named("low-rank").sizeAt(512)).isEqualTo(64);
    assertThat(Projection.named("low-rank").sizeAt(6)).isEqualTo(1);
    assertThat(Projection.named("block-diagonal").sizeAt(512)).isEqualTo(4);
    assertThat(Projection.named("hadamard-beta@alpha=1")).isEqualTo(new Projection(Mix.HADAMARD, true, false, null, 1.0));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '"', value = {
      "fourier|'fourier' is unknown; use one of dense, hadamard, hadamard-folded, identity, signed-hadamard",
      "hadamard |'hadamard ' is unknown", "Hadamard|is unknown", "hadamard-|is unknown", "hadamard-beta-alpha|is unknown",
      "\"\"|is unknown",
      "hadamard@alpha=-1|is unknown", "low-rank:|is unknown",
      "hadamard+alpha|'hadamard+alpha' is spelled hadamard; use that name", "dense-alpha|is spelled dense",
      "hadamard@alpha=1.0|is spelled hadamard@alpha=1", "low-rank:064|is spelled low-rank:64",
      "hadamard:4|hadamard takes no size; leave out 4", "low-rank:0|low-rank:0 must be positive",
      "hadamard@alpha=0|starts at 0.0; it must be positive",
      "hadamard-alpha@alpha=1|has no alpha that could start at 1; leave the start out"}, ignoreLeadingAndTrailingWhitespace = false)
  void otherNamesAreMistakes(String name, String said) {
    assertThatThrownBy(() -> Projection.named(name)).isInstanceOf(UserError.class).hasMessageContaining(said);
  }

  @Test
  void aFileFromBeforeTheseChoicesIsRead() {
    var old = """
        {"layers": 4, "width": 256, "heads": 4, "hidden": 704, "context": 256, "vocabulary": 257,
         "projection": {"mix": "hadamard", "alpha": true, "beta": true}}""";
    var read = Json.LINE.readValue(old, ModelConfig.class);
    assertThat(read).isEqualTo(ModelConfig.parse("nano").with(Projection.named("hadamard")));
    assertThat(read.query()).isEqualTo(Query.LEARNED);
    var other = read.with(Projection.named("low-rank:8+alpha@alpha=2")).with(Query.IDENTITY);
    assertThat(Json.LINE.readValue(Json.LINE.writeValueAsString(other), ModelConfig.class)).isEqualTo(other);
  }

  @Test
  void sizesThatDoNotFitAModelAreRefused() {
    var model = new ModelConfig(1, 24, 6, 64, 16, 257, Projection.named("dense"));
    assertThatThrownBy(() -> model.with(Projection.named("block-diagonal"))).isInstanceOf(UserError.class)
        .hasMessage(
            "block-diagonal has 4 blocks of whole heads, which do not divide the 6 heads; use a number of blocks that does, such as "
                + "block-diagonal:3");
    assertThat(model.with(Projection.named("block-diagonal:6")).projection().sizeAt(24)).isEqualTo(6);
    assertThatThrownBy(() -> model.with(Projection.named("low-rank:25"))).isInstanceOf(UserError.class)
        .hasMessageContaining("greater than the width of 24");
  }
}
