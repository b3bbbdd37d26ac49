package dev.walsh.data;

/**
 * A part of a document that can be tokenized by itself.
 *
 * @param text its bytes
 * @param first whether it begins a document; such a piece holds the document's first {@link Splitter#HEAD} bytes, or all of it
 * @param source the file that it comes from, and the entry in it
 * @param offset its place in the unpacked text of the source, in bytes
 * @param consumed how many bytes of all inputs, packed as they are, had been read by then
 */
@SuppressWarnings("ArrayRecordComponent") // Passed on, never compared.
record Piece(byte[] text, boolean first, String source, long offset, long consumed) {
  /** Takes pieces in their order. */
  interface Sink {
    void accept(Piece piece) throws InterruptedException;
  }
}
