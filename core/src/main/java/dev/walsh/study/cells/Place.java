package dev.walsh.study.cells;

import dev.walsh.measure.Stamp;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.util.List;

/**
 * Where cells are trained, and by which command.
 *
 * @param banner the device in words
 * @param arguments of the command
 */
public record Place(Device device, Dtype dtype, String banner, List<String> arguments) {
  Stamp stamp() {
    return Stamp.now(banner, arguments);
  }
}
