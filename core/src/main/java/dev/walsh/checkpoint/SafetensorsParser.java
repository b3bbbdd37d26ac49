package dev.walsh.checkpoint;

import dev.walsh.checkpoint.SafetensorsHeader.Slot;
import dev.walsh.config.Json;
import dev.walsh.config.JsonMistake;
import dev.walsh.config.UserError;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;

/**
 * The reader of safetensors headers that trusts nothing: whatever it returns lies within the file, without overlap and without gaps, and
 * every byte range has the size of its shape. Anything else is a {@link UserError} that names the file and the tensor.
 */
final class SafetensorsParser {
  /** The format's own limit; a longer header is a damaged length or an attempt to exhaust memory. */
  private static final long MAX_HEADER_BYTES = 100_000_000;
  private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;

  private SafetensorsParser(Path file) {
    this.file = file;
  }

  /** Parses and checks the header of a file whose whole content is given. */
  static SafetensorsHeader parse(Path file, MemorySegment content) {
    return new SafetensorsParser(file).parse(content);
  }

  private SafetensorsHeader parse(MemorySegment content) {
    if (content.byteSize() < Long.BYTES) {
      throw damaged("it has " + content.byteSize() + " bytes, too few for the length of a header");
    }
    long length = content.get(LENGTH, 0);
    if (length < 2 || length > MAX_HEADER_BYTES) {
      throw damaged("it announces a header of " + Long.toUnsignedString(length) + " bytes, which no such file has");
    }
    long dataStart = Long.BYTES + length;
    if (dataStart > content.byteSize()) {
      throw damaged("its header of " + length + " bytes ends beyond the file of " + content.byteSize());
    }
    var slots = new LinkedHashMap<String, Slot>();
    var metadata = new LinkedHashMap<String, String>();
    for (var field : json(content.asSlice(Long.BYTES, length).toArray(ValueLayout.JAVA_BYTE)).properties()) {
      if (field.getKey().equals(SafetensorsHeader.METADATA)) {
        readMetadata(field.getValue(), metadata);
      } else {
        slots.put(field.getKey(), slot(field.getKey(), field.getValue()));
      }
    }
    var header = new SafetensorsHeader(slots, metadata, dataStart);
    checkTiling(header, content.byteSize() - dataStart);
    return header;
  }

  private JsonNode json(byte[] header) {
    JsonNode root;
    try {
      root = Json.LINE.reader().with(StreamReadFeature.STRICT_DUPLICATE_DETECTION).readTree(header);
    } catch (JacksonException error) {
      throw damaged("its header is not JSON (" + JsonMistake.syntax(error) + ")");
    }
    if (!root.isObject()) {
      throw damaged("its header is not a JSON object");
    }
    return root;
  }

  private void readMetadata(JsonNode node, Map<String, String> metadata) {
    if (!node.isObject()) {
      throw damaged("its " + SafetensorsHeader.METADATA + " is not an object");
    }
    for (var entry : node.properties()) {
      if (!entry.getValue().isString()) {
        throw damaged("its " + SafetensorsHeader.METADATA + " '" + entry.getKey() + "' is not a string");
      }
      metadata.put(entry.getKey(), entry.getValue().stringValue());
    }
  }

  private Slot slot(String name, JsonNode field) {
    var dtype = field.path("dtype").asString("");
    var type = Arrays.stream(StoredType.values()).filter(known -> known.name().equals(dtype)).findFirst().orElseThrow(
        () -> new UserError(
            "%s: tensor '%s' has the element type '%s', which walsh does not read; convert it to one of %s".formatted(file, name,
                dtype, Arrays.toString(StoredType.values()))));
    var shape = naturals(name, "shape", field.path("shape"));
    var offsets = naturals(name, "data_offsets", field.path("data_offsets"));
    if (offsets.size() != 2 || offsets.get(0) > offsets.get(1) || field.size() != 3) {
      throw damaged("tensor '" + name + "' is described by " + field + ", not by a dtype, a shape and two rising data_offsets");
    }
    var slot = new Slot(type, shape, offsets.get(0), offsets.get(1));
    long needed = bytes(name, type, shape);
    if (slot.bytes() != needed) {
      throw damaged("tensor '%s' of type %s and shape %s needs %d bytes and has %d".formatted(name, type, shape, needed, slot.bytes()));
    }
    return slot;
  }

  private long bytes(String name, StoredType type, List<Long> shape) {
    try {
      return shape.stream().reduce((long) type.bytes, Math::multiplyExact);
    } catch (ArithmeticException tooLarge) {
      throw damaged("tensor '" + name + "' has the impossible shape " + shape);
    }
  }

  private List<Long> naturals(String name, String key, JsonNode node) {
    var values = new ArrayList<Long>();
    for (var value : node) {
      if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
        throw damaged("tensor '" + name + "' has " + value + " in its " + key);
      }
      values.add(value.longValue());
    }
    if (!node.isArray()) {
      throw damaged("tensor '" + name + "' has no list of numbers as its " + key);
    }
    return List.copyOf(values);
  }

  /** The ranges must cover the data exactly: then no two tensors share memory and nothing hides between them. */
  private void checkTiling(SafetensorsHeader header, long dataBytes) {
    long at = 0;
    for (var entry : header.byOffset()) {
      var name = entry.getKey();
      var slot = entry.getValue();
      if (slot.end() > dataBytes) {
        throw damaged("tensor '%s' ends at byte %d of the data, which has only %d".formatted(name, slot.end(), dataBytes));
      }
      if (slot.begin() != at) {
        throw damaged(slot.begin() < at
            ? "tensor '" + name + "' overlaps the tensor before it"
            : "%d bytes before tensor '%s' belong to no tensor".formatted(slot.begin() - at, name));
      }
      at = slot.end();
    }
    if (at != dataBytes) {
      throw damaged((dataBytes - at) + " bytes at its end belong to no tensor");
    }
  }

  private UserError damaged(String what) {
    return new UserError(file + " is not a sound safetensors file: " + what + "; copy it again from where it came");
  }
}
