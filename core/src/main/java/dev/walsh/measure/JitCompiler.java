package dev.walsh.measure;

import java.lang.management.ManagementFactory;
import javax.management.JMException;
import javax.management.ObjectName;

/** What HotSpot's compilers are doing: code that they are not done with yet runs up to a thousand times slower than it will. */
final class JitCompiler {
  private JitCompiler() {}

  /** Whether nothing is being compiled or waits to be; true where the JVM does not tell. */
  static boolean isIdle() {
    try {
      var commands = new ObjectName("com.sun.management:type=DiagnosticCommand");
      var queues = (String) ManagementFactory.getPlatformMBeanServer().invoke(commands, "compilerQueue", new Object[0], new String[0]);
      // Every compilation, under way or waiting, is a line with the method's name.
      return !queues.contains("::");
    } catch (JMException e) {
      return true;
    }
  }
}
