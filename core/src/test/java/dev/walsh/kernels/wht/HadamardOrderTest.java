package dev.walsh.kernels.wht;

import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class HadamardOrderTest {
  @ParameterizedTest
  @CsvSource({"1,1,0", "2,1,1", "4,1,2", "16384,1,14", "12,12,0", "24,12,1", "20,20,0", "28,28,0", "36,36,0", "44,44,0", "60,60,0",
      "68,68,0",
      "76,76,0", "84,84,0", "768,12,6", "1536,12,7", "2560,20,7", "3072,12,8"})
  void factorsAnOrder(int d, int core, int log2) {
    assertThat(HadamardOrder.of(d)).isEqualTo(new HadamardOrder(d, core, log2));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {"1 | 1 = 2^0: Sylvester of order 1", "1024 | 1024 = 2^10: Sylvester of order 1024",
      "28 | 28: Paley II of order 28", "768 | 768 = 12 · 2^6: Paley I of order 12 ⊗ Sylvester of order 64"})
  void explainsTheFactorisation(int d, String line) {
    assertThat(HadamardOrder.of(d).explain()).isEqualTo(line);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {"3 | use 2 or 4.", "52 | use 48 or 56.", "92 | use 88 or 96.", "100 | use 96 or 108.", "0 | use 1.",
      "-5 | use 1.", "1600 | use 1596 or 1608.", "2147483647 | use 16777216."})
  void refusesAnUnknownOrderAndNamesItsNeighbours(int d, String advice) {
    assertThat(HadamardOrder.isSupported(d)).isFalse();
    assertThatThrownBy(() -> HadamardOrder.of(d)).isInstanceOf(UserError.class).hasMessageContaining("order " + d)
        .hasMessageEndingWith(advice);
  }

  @Property(tries = 300)
  void everyOrderIsItsProductOrRefused(@ForAll @IntRange(min = 1, max = 100_000) int d) {
    if (HadamardOrder.isSupported(d)) {
      var order = HadamardOrder.of(d);
      assertThat(order.core() << order.log2()).isEqualTo(d);
      assertThat(order.core() == 1 || order.core() % 8 == 4).isTrue();
    } else {
      assertThatThrownBy(() -> HadamardOrder.of(d)).isInstanceOf(UserError.class);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"order\":768,\"core\":1,\"log2\":6}", "{\"order\":52,\"core\":52,\"log2\":0}",
      "{\"order\":768,\"core\":0,\"log2\":6}",
      "{\"order\":100,\"core\":0,\"log2\":2}"})
  void aDamagedRecordIsRefused(String json) {
    assertThatThrownBy(() -> Json.LINE.readValue(json, HadamardOrder.class)).hasRootCauseInstanceOf(UserError.class);
  }

  @Test
  void factorsSurviveJson() {
    var factors = HadamardFactors.of(768, 12);
    var json = Json.LINE.writeValueAsString(factors);
    assertThat(json).isEqualTo("{\"factors\":[{\"order\":12,\"core\":12,\"log2\":0},{\"order\":64,\"core\":1,\"log2\":6}]}");
    assertThat(Json.LINE.readValue(json, HadamardFactors.class)).isEqualTo(factors);
  }
}
