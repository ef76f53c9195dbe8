package questionnaire;

import java.util.Arrays;
import java.util.function.BiConsumer;
import org.apache.kafka.streams.state.KeyValueStore;

/** Where the pages of a session are kept. */
interface Pages {
  /** Adds a page, whose task starts at once or waits for the subject. */
  void add(String uid, Session session, byte[] kwargs, boolean starts);

  /** Starts the tasks of all pages that wait: calls {@code start} with the number and the kwargs of each. */
  void startWaiting(String uid, Session session, BiConsumer<Integer, byte[]> start);

  /** Records that the task of a page has finished. */
  void finish(String uid, Session session, int number);

  /** Keeps the waiting pages in the session's value, and of the others only their number. */
  final class InSession implements Pages {
    @Override
    public void add(String uid, Session session, byte[] kwargs, boolean starts) {
      if (!starts) {
        session.waiting.add(kwargs);
      }
    }

    @Override
    public void startWaiting(String uid, Session session, BiConsumer<Integer, byte[]> start) {
      for (int number = 0; number < session.waiting.size(); number++) {
        start.accept(number, session.waiting.get(number));
      }
      session.waiting.clear();
    }

    @Override
    public void finish(String uid, Session session, int number) {}
  }

  /** Keeps the kwargs and the status of every page in a row of its own, as the triggers agent does. */
  final class InRows implements Pages {
    private static final byte WAITING = 0;
    private static final byte STARTED = 1;
    private static final byte FINISHED = 2;

    private final KeyValueStore<String, byte[]> rows;

    InRows(KeyValueStore<String, byte[]> rows) {
      this.rows = rows;
    }

    @Override
    public void add(String uid, Session session, byte[] kwargs, boolean starts) {
      byte[] row = new byte[1 + kwargs.length];
      row[0] = starts ? STARTED : WAITING;
      System.arraycopy(kwargs, 0, row, 1, kwargs.length);
      rows.put(key(uid, session.pages), row);
    }

    @Override
    public void startWaiting(String uid, Session session, BiConsumer<Integer, byte[]> start) {
      for (int number = 0; number < session.pages; number++) {
        byte[] row = update(uid, number, STARTED);
        start.accept(number, Arrays.copyOfRange(row, 1, row.length));
      }
    }

    @Override
    public void finish(String uid, Session session, int number) {
      update(uid, number, FINISHED);
    }

    private byte[] update(String uid, int number, byte status) {
      String key = key(uid, number);
      byte[] row = rows.get(key);
      row[0] = status;
      rows.put(key, row);
      return row;
    }

    private static String key(String uid, int number) {
      return uid + "#" + number;
    }
  }
}
