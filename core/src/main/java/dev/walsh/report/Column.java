package dev.walsh.report;

/** A table's column: its name, the unit of its numbers (empty for none), and on which side its cells line up. */
public record Column(String name, String unit, Alignment alignment) {
  /** The side on which cells line up: text to the left, numbers to the right. */
  public enum Alignment {
    LEFT, RIGHT
  }

  public static Column text(String name) {
    return new Column(name, "", Alignment.LEFT);
  }

  public static Column number(String name, String unit) {
    return new Column(name, unit, Alignment.RIGHT);
  }

  public static Column number(String name) {
    return number(name, "");
  }

  String title() {
    return unit.isEmpty() ? name : name + " (" + unit + ")";
  }
}
