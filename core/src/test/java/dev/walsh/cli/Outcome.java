package dev.walsh.cli;

import dev.walsh.Walsh;
import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;

import static org.assertj.core.api.Assertions.assertThat;

/** What a command line did: its exit status and what it wrote. */
record Outcome(int status, String out, String err) {
  static Outcome of(Object... arguments) {
    var out = new StringWriter();
    var err = new StringWriter();
    var words = Arrays.stream(arguments).map(Object::toString).toArray(String[]::new);
    int status = Walsh.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err)).execute(words);
    return new Outcome(status, out.toString(), err.toString());
  }

  static Outcome withInput(byte[] input, Object... arguments) {
    var before = System.in;
    System.setIn(new ByteArrayInputStream(input));
    try {
      return of(arguments);
    } finally {
      System.setIn(before);
    }
  }

  /** Nothing went wrong; returns what was written to standard output. */
  String text() {
    assertThat(status).as(err).isZero();
    return out;
  }

  /** One sentence for a user's mistake, and no more. */
  void isMistake(String... said) {
    assertThat(status).isEqualTo(2);
    assertThat(out).isEmpty();
    assertThat(err).hasLineCount(1).startsWith("walsh: ").contains(said);
  }
}
