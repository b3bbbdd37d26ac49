package dev.walsh.train;

import dev.walsh.config.UserError;

/** A model and a batch that a device has no memory for; the message says what it would have. */
public final class OutOfDeviceMemory extends UserError {
  private static final long serialVersionUID = 1;

  OutOfDeviceMemory(String message, Throwable cause) {
    super(message, cause);
  }
}
