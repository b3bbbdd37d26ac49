package dev.walsh.checkpoint;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.walsh.config.Json;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * What a safetensors file says of itself: for each tensor, in the order of its header, the element type, the shape and the byte range.
 *
 * @param slots tensors by name
 * @param metadata the strings under {@code __metadata__}
 * @param dataStart where in the file the data begins, in bytes: 8 for the length plus the header itself
 */
record SafetensorsHeader(Map<String, Slot> slots, Map<String, String> metadata, long dataStart) {
  static final String METADATA = "__metadata__";

  /** Readers map the file and compute in place, so the data begins on a cache line; the header is padded with spaces up to it. */
  private static final int ALIGNMENT = 64;

  /**
   * The place of one tensor.
   *
   * @param begin first byte, counted from the start of the data
   * @param end one past the last byte
   */
  record Slot(StoredType type, List<Long> shape, long begin, long end) {
    long bytes() {
      return end - begin;
    }

    long[] sizes() {
      return shape.stream().mapToLong(Long::longValue).toArray();
    }
  }

  /**
   * The header of a file for these tensors. Names keep the map's order; the data lies in order of falling element size, because the format
   * allows no gaps and so only this order leaves every tensor aligned to its own elements.
   */
  static SafetensorsHeader layout(Map<String, Tensor> tensors, Map<String, String> metadata) {
    var slots = new LinkedHashMap<String, Slot>();
    tensors.forEach((name, tensor) -> slots.put(name, slotAtZero(name, tensor)));
    var bySize = slots.entrySet().stream().sorted(Comparator.comparingInt(slot -> -slot.getValue().type.bytes)).toList();
    long at = 0;
    for (var entry : bySize) {
      var slot = entry.getValue();
      entry.setValue(new Slot(slot.type, slot.shape, at, at + slot.end));
      at += slot.end;
    }
    return new SafetensorsHeader(slots, metadata, Long.BYTES + paddedLength(json(slots, metadata).length));
  }

  private static Slot slotAtZero(String name, Tensor tensor) {
    if (name.equals(METADATA)) {
      throw new IllegalArgumentException("a tensor cannot be named " + METADATA);
    }
    if (!tensor.defined()) {
      throw new IllegalArgumentException("tensor '" + name + "' is undefined");
    }
    return new Slot(StoredType.of(tensor.scalar_type()), shapeOf(tensor), 0, tensor.numel() * tensor.itemsize());
  }

  static List<Long> shapeOf(Tensor tensor) {
    var shape = new Long[(int) tensor.dim()];
    Arrays.setAll(shape, tensor::size);
    return List.of(shape);
  }

  /** Bytes of the whole file. */
  long fileBytes() {
    return dataStart + slots.values().stream().mapToLong(Slot::bytes).sum();
  }

  /** The tensors in the order of their data. */
  List<Map.Entry<String, Slot>> byOffset() {
    var place = Comparator.comparingLong(Slot::begin).thenComparingLong(Slot::end);
    return slots.entrySet().stream().sorted(Map.Entry.comparingByValue(place)).toList();
  }

  /** The bytes that precede the data: the header's length (8 bytes, little-endian), its JSON, and spaces up to the alignment. */
  ByteBuffer encode() {
    var json = json(slots, metadata);
    var bytes = ByteBuffer.allocate(Math.toIntExact(dataStart)).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(dataStart - Long.BYTES).put(json);
    Arrays.fill(bytes.array(), bytes.position(), bytes.capacity(), (byte) ' ');
    return bytes.rewind();
  }

  private static int paddedLength(int json) {
    return Math.ceilDiv(Long.BYTES + json, ALIGNMENT) * ALIGNMENT - Long.BYTES;
  }

  private static byte[] json(Map<String, Slot> slots, Map<String, String> metadata) {
    var fields = new LinkedHashMap<String, Object>();
    if (!metadata.isEmpty()) {
      fields.put(METADATA, metadata);
    }
    slots.forEach((name, slot) -> fields.put(name, new Field(slot.type.name(), slot.shape, List.of(slot.begin, slot.end))));
    return Json.LINE.writeValueAsBytes(fields);
  }

  private record Field(String dtype, List<Long> shape, @JsonProperty("data_offsets") List<Long> offsets) {}
}
