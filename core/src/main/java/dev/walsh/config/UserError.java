package dev.walsh.config;

/**
 * A mistake that the user can mend. Its message is one sentence that says what is wrong and how to fix it; the command line prints it
 * without a stack trace and exits with status 2.
 */
public class UserError extends RuntimeException {
  private static final long serialVersionUID = 1;

  public UserError(String message) {
    super(message);
  }

  public UserError(String message, Throwable cause) {
    super(message, cause);
  }
}
