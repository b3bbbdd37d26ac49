package dev.walsh.eval;

import java.util.List;

/** One item of a task; all items of a task are of one kind. */
public sealed interface Item {
  /** Where it begins in its file, counted from 1. */
  int line();

  /** A question: which of the choices goes on from the context is the right one. */
  record Choices(int line, String context, List<String> choices, int gold) implements Item {}

  /** A text whose end is to be told from its beginning. */
  record Continuation(int line, String context, String continuation) implements Item {}

  /** A text to be found likely as a whole. */
  record Text(int line, String text) implements Item {}
}
