package questionnaire;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;

/**
 * An event of a session: a trigger with its kwargs, or the result of a task. The payload stays JSON in bytes, because no
 * rule looks into it.
 *
 * @param trigger name of the trigger, or null for a result
 * @param finished name of the finished instance such as {@code t_importResponses#3}, or null for a trigger
 */
record Event(String trigger, String finished, byte[] payload) {
  private static final JsonFactory JSON = new JsonFactory();
  private static final byte[] EMPTY = {'{', '}'};

  /** Parses {@code {"trigger": …, "kwargs": {…}}} or {@code {"finished": …, "result": {…}}}. */
  static Event parse(byte[] value) {
    String trigger = null;
    String finished = null;
    byte[] payload = EMPTY;
    try (JsonParser parser = JSON.createParser(value)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String field = parser.currentName();
        parser.nextToken();
        switch (field) {
          case "trigger" -> trigger = parser.getText();
          case "finished" -> finished = parser.getText();
          case "kwargs", "result" -> payload = rawValue(parser, value);
          default -> parser.skipChildren();
        }
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return new Event(trigger, finished, payload);
  }

  private static byte[] rawValue(JsonParser parser, byte[] value) throws IOException {
    int start = (int) parser.currentTokenLocation().getByteOffset();
    parser.skipChildren();
    return Arrays.copyOfRange(value, start, (int) parser.currentLocation().getByteOffset());
  }
}
