package questionnaire;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** The state of a session, which is one value of the store. */
final class Session {
  boolean embedded;

  /** JSON of the kwargs of firstPageReceived, or null. */
  byte[] firstPage;

  /** JSON of the kwargs of questionnaireComplete, or null. */
  byte[] complete;

  /** JSON of the result of t_importSubject, or null until it has finished. */
  byte[] subject;

  /** JSON of the kwargs of the first pageReceived, as long as the import of the browser may need them. */
  byte[] browserPage;

  /** Number of pages, each of which has an instance of t_importResponses. */
  int pages;

  int finishedPages;

  /** JSON of the kwargs of the pages that wait for t_importSubject, if they are not in rows of their own. */
  final List<byte[]> waiting = new ArrayList<>();

  static Serde<Session> serde() {
    Serializer<Session> serializer = (topic, session) -> session == null ? null : session.encode();
    Deserializer<Session> deserializer = (topic, bytes) -> bytes == null ? null : decode(bytes);
    return Serdes.serdeFrom(serializer, deserializer);
  }

  private byte[] encode() {
    int size = 1 + 3 * Integer.BYTES;
    size += sizeOf(firstPage) + sizeOf(complete) + sizeOf(subject) + sizeOf(browserPage);
    for (byte[] page : waiting) {
      size += sizeOf(page);
    }
    ByteBuffer bytes = ByteBuffer.allocate(size);
    bytes.put((byte) (embedded ? 1 : 0));
    bytes.putInt(pages).putInt(finishedPages).putInt(waiting.size());
    put(bytes, firstPage);
    put(bytes, complete);
    put(bytes, subject);
    put(bytes, browserPage);
    waiting.forEach(page -> put(bytes, page));
    return bytes.array();
  }

  private static Session decode(byte[] value) {
    ByteBuffer bytes = ByteBuffer.wrap(value);
    Session session = new Session();
    session.embedded = bytes.get() == 1;
    session.pages = bytes.getInt();
    session.finishedPages = bytes.getInt();
    int waiting = bytes.getInt();
    session.firstPage = take(bytes);
    session.complete = take(bytes);
    session.subject = take(bytes);
    session.browserPage = take(bytes);
    for (int n = 0; n < waiting; n++) {
      session.waiting.add(take(bytes));
    }
    return session;
  }

  private static int sizeOf(byte[] part) {
    return Integer.BYTES + (part == null ? 0 : part.length);
  }

  private static void put(ByteBuffer bytes, byte[] part) {
    bytes.putInt(part == null ? -1 : part.length);
    if (part != null) {
      bytes.put(part);
    }
  }

  private static byte[] take(ByteBuffer bytes) {
    int length = bytes.getInt();
    if (length < 0) {
      return null;
    }
    byte[] part = new byte[length];
    bytes.get(part);
    return part;
  }
}
