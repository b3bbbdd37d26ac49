package dev.walsh.measure;

/**
 * One line of the doctor's: what was looked at, what was found, and what to do about it.
 *
 * @param subject what was looked at
 * @param found what was found
 * @param advice what that costs and how to mend it; empty where all is well
 */
public record Finding(String subject, String found, String advice) {
  public static Finding fine(String subject, String found) {
    return new Finding(subject, found, "");
  }

  public boolean isFine() {
    return advice.isEmpty();
  }
}
