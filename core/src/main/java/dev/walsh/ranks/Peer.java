package dev.walsh.ranks;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** The connection to one other rank. */
final class Peer implements Closeable {
  /** Before every message, so that a stranger at the port is known as one. */
  private static final int SIGN = 0x57414c53;
  private static final int LONGEST = 1 << 24;

  private final Socket socket;
  private final DataInputStream in;
  private final DataOutputStream out;

  Peer(Socket socket) throws IOException {
    this.socket = socket;
    socket.setTcpNoDelay(true);
    in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
    out = new DataOutputStream(socket.getOutputStream());
  }

  /** This machine's address, as the other rank reaches it. */
  InetAddress here() {
    return socket.getLocalAddress();
  }

  InetAddress there() {
    return socket.getInetAddress();
  }

  synchronized void send(Message message) throws IOException {
    var text = message.text().getBytes(StandardCharsets.UTF_8);
    out.writeInt(SIGN);
    out.writeByte(message.kind().ordinal());
    out.writeInt(message.rank());
    out.writeInt(text.length);
    out.write(text);
    out.flush();
  }

  /** @throws java.net.SocketTimeoutException when nothing came for so long */
  Message receive(Duration patience) throws IOException {
    socket.setSoTimeout(Math.toIntExact(Math.max(1, patience.toMillis())));
    if (in.readInt() != SIGN) throw new IOException("not a rank of walsh");
    int kind = in.readUnsignedByte();
    int rank = in.readInt();
    int length = in.readInt();
    if (kind >= Message.Kind.values().length || length < 0 || length > LONGEST) throw new IOException("not a message of walsh");
    return new Message(Message.Kind.values()[kind], rank, new String(in.readNBytes(length), StandardCharsets.UTF_8));
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
