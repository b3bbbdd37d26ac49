package dev.walsh.measure;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.util.Locale;
import java.util.function.Consumer;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * The progress of one long task on standard error: a bar with rate and time left on a terminal, elsewhere a plain line every ten seconds
 * and one at the end. Safe to step from several threads.
 */
public final class Progress implements AutoCloseable {
  private static final int STANDARD_ERROR = 2;
  private static final int BAR_INTERVAL_MILLIS = 250;
  private static final int LINE_INTERVAL_MILLIS = 10_000;
  private static final int LINE_WIDTH = 120;
  private static final int TERMINAL_WIDTH = 80;

  private final @Nullable ProgressBar bar;
  private final @Nullable Lines lines;

  private Progress() {
    bar = null;
    lines = null;
  }

  private Progress(String task, String unit, long unitSize, long total) {
    boolean terminal = onTerminal();
    lines = terminal ? null : new Lines();
    var rate = new DecimalFormat("0.0", DecimalFormatSymbols.getInstance(Locale.ROOT));
    bar = new ProgressBarBuilder().setTaskName(task).setInitialMax(total).setUnit(" " + unit, unitSize).showSpeed(rate)
        .setStyle(terminal ? ProgressBarStyle.UNICODE_BLOCK : ProgressBarStyle.ASCII)
        .setUpdateIntervalMillis(terminal ? BAR_INTERVAL_MILLIS : LINE_INTERVAL_MILLIS)
        .setConsumer(lines == null ? onOneLine() : new DelegatingProgressBarConsumer(lines, LINE_WIDTH)).build();
  }

  /**
   * Starts to show a task.
   *
   * @param unit what is counted, such as "steps"
   * @param total how many there are, or -1 where that is unknown
   */
  public static Progress start(String task, String unit, long total) {
    return new Progress(task, unit, 1, total);
  }

  /** Starts to show a task that is counted in bytes and shown in megabytes; the total is -1 where it is unknown. */
  public static Progress startBytes(String task, long totalBytes) {
    return new Progress(task, "MB", 1_000_000, totalBytes);
  }

  /** Progress that nobody sees. */
  public static Progress quiet() {
    return new Progress();
  }

  /**
   * A bar of a known width. The library would else open a JLine terminal to ask for the width, and that puts the default handler on
   * the interrupt signal: Ctrl-C would then end the program without its shutdown hooks.
   */
  private static ProgressBarConsumer onOneLine() {
    return new ConsoleProgressBarConsumer(System.err, terminalWidth() - 1);
  }

  private static int terminalWidth() {
    var columns = System.getenv("COLUMNS");
    return columns != null && columns.matches("[1-9]\\d{1,3}") ? Integer.parseInt(columns) : TERMINAL_WIDTH;
  }

  /** Lines of a log. The library also renders at once, when there is nothing to tell, and twice at the end, where one line is enough. */
  private static final class Lines implements Consumer<String> {
    private final long start = System.nanoTime();
    private volatile boolean closing;
    private volatile String last = "";

    @Override
    public void accept(String line) {
      last = line.stripTrailing();
      if (!closing && System.nanoTime() - start > LINE_INTERVAL_MILLIS * 500_000L) System.err.println(last);
    }

    void end() {
      System.err.println(last);
    }
  }

  /** Moves to a position, counted from 0 to the total. */
  public void stepTo(long position) {
    if (bar != null) {
      bar.stepTo(position);
    }
  }

  /** Moves on by some units. */
  public void step(long units) {
    if (bar != null) {
      bar.stepBy(units);
    }
  }

  /** Shows a message at the right of the bar. */
  public void note(String message) {
    if (bar != null) {
      bar.setExtraMessage(" " + message);
    }
  }

  @Override
  public void close() {
    if (lines != null) lines.closing = true;
    if (bar != null) bar.close();
    if (lines != null) lines.end();
  }

  /** Whether standard error is a terminal; Java's own Console answers for the other two streams only. */
  private static boolean onTerminal() {
    var linker = Linker.nativeLinker();
    var lookup = linker.defaultLookup();
    var isatty = lookup.find("isatty").or(() -> lookup.find("_isatty"));
    if (isatty.isEmpty()) {
      return false;
    }
    try {
      return (int) linker.downcallHandle(isatty.get(), FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT))
          .invokeExact(STANDARD_ERROR) != 0;
    } catch (Throwable failure) {
      throw new IllegalStateException("isatty failed", failure);
    }
  }
}
