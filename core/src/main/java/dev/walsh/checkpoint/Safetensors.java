package dev.walsh.checkpoint;

import dev.walsh.checkpoint.SafetensorsHeader.Slot;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * An open safetensors file, whose tensors are the file's own pages, mapped and not read until touched.
 *
 * <p>The format (huggingface/safetensors): 8 bytes of little-endian header length, a JSON header, the raw little-endian data. The reader
 * accepts whole files of others; see {@link SafetensorsParser} for what it checks.
 *
 * <p>Tensors may be written to: the mapping is private, so the file does not change. {@link #close} frees the tensors and unmaps the file;
 * a view of one that outlives it points at nothing and ends the process when read. Copy what must live longer, or use {@link #readInto}.
 */
public final class Safetensors implements AutoCloseable {
  private static final int CHUNK = 1 << 30;

  private final Path file;
  private final Arena arena;
  private final SafetensorsHeader header;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  private Safetensors(Path file, Arena arena) throws IOException {
    this.file = file;
    this.arena = arena;
    var content = load(file, arena);
    header = SafetensorsParser.parse(file, content);
    var data = content.asSlice(header.dataStart());
    header.slots().forEach((name, slot) -> tensors.put(name, over(slot, data.asSlice(slot.begin(), slot.bytes()))));
  }

  /**
   * Writes a new file, durably. Nothing is left of it if that fails.
   *
   * @param tensors by name, of any device and layout; the data is written from the tensors' own memory where they are dense and on the CPU
   * @param metadata free strings, {@code format} and the like
   * @throws UserError where the file exists or cannot be written
   */
  public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
    Disk.refuseExisting(file);
    var header = SafetensorsHeader.layout(tensors, metadata);
    try (var out = new HashedFile(file)) {
      write(out, header, tensors);
      out.finish();
      Disk.syncFolder(Disk.parent(file));
    } catch (IOException error) {
      throw Disk.cannotWrite(file, header.fileBytes(), error);
    }
  }

  static void write(HashedFile out, SafetensorsHeader header, Map<String, Tensor> tensors) throws IOException {
    out.write(header.encode());
    for (var entry : header.byOffset()) {
      long bytes = entry.getValue().bytes();
      try (var detached = Objects.requireNonNull(tensors.get(entry.getKey())).detach();
          var host = detached.cpu();
          var dense = host.contiguous()) {
        for (long at = 0; at < bytes; at += CHUNK) {
          out.write(memory(dense).asSlice(at, Math.min(CHUNK, bytes - at)).asByteBuffer());
        }
      }
    }
  }

  private static MemorySegment memory(Tensor dense) {
    return MemorySegment.ofAddress(dense.data_ptr().address()).reinterpret(dense.nbytes());
  }

  /**
   * Opens a file.
   *
   * @throws UserError where it is missing, cannot be read, or is not a sound safetensors file
   */
  public static Safetensors open(Path file) {
    var arena = Arena.ofShared();
    try {
      return new Safetensors(file, arena);
    } catch (IOException error) {
      arena.close();
      throw new UserError("Cannot read " + file + " (" + Disk.reason(error) + "); check the path and its permissions", error);
    } catch (RuntimeException error) {
      arena.close();
      throw error;
    }
  }

  /** A private mapping needs a file that may be written; one that may not is read instead, so that its tensors can be written to as well. */
  private static MemorySegment load(Path file, Arena arena) throws IOException {
    if (Files.isRegularFile(file) && Files.isWritable(file)) {
      try (var channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        return channel.map(MapMode.PRIVATE, 0, channel.size(), arena);
      }
    }
    try (var channel = FileChannel.open(file)) {
      var content = arena.allocate(channel.size(), Long.BYTES);
      for (long at = 0; at < content.byteSize();) {
        int read = channel.read(content.asSlice(at, Math.min(CHUNK, content.byteSize() - at)).asByteBuffer());
        if (read < 0) {
          throw new IOException("it ended early");
        }
        at += read;
      }
      return content;
    }
  }

  private Tensor over(Slot slot, MemorySegment place) {
    // Other writers do not always align; libtorch's kernels expect it.
    var aligned = place.address() % slot.type().bytes == 0 ? place : arena.allocate(slot.bytes(), slot.type().bytes).copyFrom(place);
    try (var options = new TensorOptions(slot.type().scalarType); var address = new Address(aligned.address())) {
      var tensor = slot.bytes() == 0 ? torch.zeros(slot.sizes(), options) : torch.from_blob(address, slot.sizes(), options);
      // This object owns the tensor: a scope of the caller must not free it.
      return tensor.retainReference();
    }
  }

  /** The free strings of the file. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(header.metadata());
  }

  /** The tensors by name, on the CPU, in the order of the file's header. They live until {@link #close}. */
  public Map<String, Tensor> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  /**
   * One of {@link #tensors}.
   *
   * @throws UserError where the file has none of that name
   */
  public Tensor tensor(String name) {
    var tensor = tensors.get(name);
    if (tensor == null) {
      throw new UserError(file + " has no tensor '" + name + "'; check that it is the file of this model");
    }
    return tensor;
  }

  /**
   * Copies every tensor of the file into the one of the same name, on whatever device that is. All names, shapes and types are compared
   * first, so nothing is copied unless all of it fits.
   *
   * @throws UserError that lists every missing, unexpected, misshapen and mistyped name
   */
  public void readInto(Map<String, Tensor> targets) {
    var faults = faults(targets);
    if (!faults.isEmpty()) {
      throw new UserError(
          file + " does not fit this model: " + String.join("; ", faults) + "; load it with the configuration it was written with");
    }
    targets.forEach((name, target) -> {
      try (var raw = target.detach()) {
        raw.copy_(tensor(name));
      }
    });
  }

  private List<String> faults(Map<String, Tensor> targets) {
    var slots = header.slots();
    var faults = new ArrayList<String>();
    addNames(faults, "missing", targets.keySet().stream().filter(name -> !slots.containsKey(name)).toList());
    addNames(faults, "unexpected", slots.keySet().stream().filter(name -> !targets.containsKey(name)).toList());
    targets.forEach((name, target) -> {
      var slot = slots.get(name);
      if (slot == null) {
        return;
      }
      var shape = SafetensorsHeader.shapeOf(target);
      if (!slot.shape().equals(shape)) {
        faults.add("'" + name + "' has the shape " + slot.shape() + " and not " + shape);
      }
      var type = StoredType.of(target.scalar_type());
      if (slot.type() != type) {
        faults.add("'" + name + "' has the type " + slot.type() + " and not " + type);
      }
    });
    return faults;
  }

  private static void addNames(List<String> faults, String what, List<String> names) {
    if (!names.isEmpty()) {
      faults.add(what + " '" + String.join("', '", names) + "'");
    }
  }

  /** Frees the tensors and unmaps the file. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      tensors.values().forEach(Tensor::deallocate);
      arena.close();
    }
  }

  /** A pointer to memory that another owner frees. */
  private static final class Address extends Pointer {
    private Address(long address) {
      this.address = address;
    }
  }
}
