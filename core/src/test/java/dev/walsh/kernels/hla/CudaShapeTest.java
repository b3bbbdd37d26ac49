package dev.walsh.kernels.hla;

import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

import static org.assertj.core.api.Assertions.assertThat;

/** The tiles of every shape that the kernels cover meet what their texts ask for. */
final class CudaShapeTest {
  private static int number(String[] defines, String name) {
    var define = Arrays.stream(defines).filter(each -> each.startsWith(name + "=")).findFirst().orElseThrow();
    return Integer.parseInt(define.substring(name.length() + 1));
  }

  @Property
  void tilesDivideWhatTheyAreCutFrom(@ForAll @IntRange(min = 1, max = 256) int lead, @ForAll @IntRange(min = 1, max = 64) int trail,
      @ForAll @IntRange(min = 1, max = 8) int sixteenths, @ForAll boolean causal, @ForAll boolean isShort) {
    int width = 16 * sixteenths;
    int others = lead > 64 ? 1 : trail;
    assertThat(CudaShape.covers(lead, others, width)).isTrue();
    int unit = (int) CudaShape.unit(lead);
    var shape = new CudaShape(Math.ceilDiv(lead, unit) * unit, others, width, causal, true, isShort);
    var adding = shape.accumulate();
    int rows = number(adding, "ROWS");
    assertThat(shape.entries() % rows).isZero();
    assertThat(rows % shape.lead() == 0 || shape.lead() % rows == 0).isTrue();
    assertThat(rows % (16 * number(adding, "WARPS_DOWN"))).isZero();
    assertThat(width % (16 * number(adding, "WARPS_ACROSS"))).isZero();
    assertThat(shape.threadsAdding()).isBetween(32, 1024);
    assertThat(shape.blocksAChunk() * rows).isEqualTo(shape.entries());
    int tile = number(shape.read(shape.ofQueries(), true), "TILE");
    assertThat(tile % 16).isZero();
    assertThat(shape.entries() % tile).isZero();
    assertThat(tile % shape.lead() == 0 || shape.lead() % tile == 0).isTrue();
    var pulling = shape.pull(shape.ofKeys());
    assertThat(number(pulling, "SLICE")).isLessThanOrEqualTo(64);
    assertThat(others % number(pulling, "TRAILS")).isZero();
    assertThat(number(pulling, "SLICE") * shape.slices()).isEqualTo(shape.lead());
  }
}
