package questionnaire;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The questionnaire's three rules, hard-coded.
 *
 * <ul>
 *   <li>t_importSubject runs after firstPageReceived and questionnaireComplete.
 *   <li>t_importResponses runs after t_importSubject, and every time that pageReceived fires.
 *   <li>t_importBrowserMetadata runs after t_importSubject and pageReceived, unless isEmbeddedApplication fired first.
 * </ul>
 */
final class Rules implements Processor<String, byte[], String, byte[]> {
  static final String SESSIONS = "sessions";
  static final String PAGES = "pages";

  private static final JsonFactory JSON = new JsonFactory();
  private static final String SUBJECT = "t_importSubject";
  private static final String RESPONSES = "t_importResponses";
  private static final String BROWSER = "t_importBrowserMetadata";

  private final boolean rowForEachPage;
  private final ByteArrayOutputStream buffer = new ByteArrayOutputStream(512);
  private ProcessorContext<String, byte[]> context;
  private KeyValueStore<String, Session> sessions;
  private Pages pages;
  private Record<String, byte[]> record;

  Rules(boolean rowForEachPage) {
    this.rowForEachPage = rowForEachPage;
  }

  @Override
  public void init(ProcessorContext<String, byte[]> context) {
    this.context = context;
    sessions = context.getStateStore(SESSIONS);
    pages = rowForEachPage ? new Pages.InRows(context.getStateStore(PAGES)) : new Pages.InSession();
  }

  @Override
  public void process(Record<String, byte[]> record) {
    this.record = record;
    Session session = sessions.get(record.key());
    if (session == null) {
      session = new Session();
    }
    Event event = Event.parse(record.value());
    if (event.trigger() != null) {
      fire(session, event.trigger(), event.payload());
    } else {
      finish(session, event.finished(), event.payload());
    }
    sessions.put(record.key(), session);
  }

  private void fire(Session session, String trigger, byte[] kwargs) {
    switch (trigger) {
      case "firstPageReceived" -> {
        boolean first = session.firstPage == null;
        session.firstPage = first ? kwargs : session.firstPage;
        if (first && session.complete != null) {
          startSubject(session);
        }
      }
      case "questionnaireComplete" -> {
        boolean first = session.complete == null;
        session.complete = first ? kwargs : session.complete;
        if (first && session.firstPage != null) {
          startSubject(session);
        }
      }
      case "isEmbeddedApplication" -> session.embedded = true;
      case "pageReceived" -> addPage(session, kwargs);
      default -> { } // no rule mentions it
    }
  }

  private void addPage(Session session, byte[] kwargs) {
    boolean starts = session.subject != null;
    pages.add(record.key(), session, kwargs, starts);
    if (starts) {
      startPage(session, session.pages, kwargs);
    }
    session.pages++;
    if (session.pages == 1 && !session.embedded) {
      session.browserPage = kwargs;
      startBrowser(session);
    }
  }

  private void finish(Session session, String instance, byte[] result) {
    int hash = instance.indexOf('#');
    switch (instance.substring(0, hash)) {
      case SUBJECT -> {
        session.subject = result;
        pages.startWaiting(record.key(), session, (number, kwargs) -> startPage(session, number, kwargs));
        startBrowser(session);
      }
      case RESPONSES -> {
        session.finishedPages++;
        pages.finish(record.key(), session, Integer.parseInt(instance.substring(hash + 1)));
      }
      default -> { } // nothing waits for it
    }
  }

  private void startSubject(Session session) {
    byte[] kwargs = session.firstPage;
    forward(SUBJECT, 0, "ImportSubject", "firstPageReceived", kwargs, "questionnaireComplete", session.complete);
  }

  private void startPage(Session session, int number, byte[] kwargs) {
    forward(RESPONSES, number, "ImportResponses", "pageReceived", kwargs, SUBJECT, session.subject);
  }

  private void startBrowser(Session session) {
    if (session.subject != null && session.browserPage != null && !session.embedded) {
      byte[] kwargs = session.browserPage;
      forward(BROWSER, 0, "ImportBrowserMetadata", "pageReceived", kwargs, SUBJECT, session.subject);
      session.browserPage = null;
    }
  }

  /** Forwards the command that runs a task. Payloads are copied into it as they are. */
  private void forward(
      String task, int number, String run, String trigger, byte[] kwargs, String other, byte[] otherKwargs) {
    buffer.reset();
    try (JsonGenerator json = JSON.createGenerator(buffer)) {
      json.writeStartObject();
      json.writeStringField("instance", task + "#" + number);
      json.writeNumberField("attempt", 1);
      json.writeStringField("run", "app.tasks." + run);
      json.writeObjectFieldStart("kwargs");
      writeJson(json, trigger, kwargs);
      writeJson(json, other, otherKwargs);
      json.writeEndObject();
      json.writeEndObject();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    context.forward(record.withValue(buffer.toByteArray()));
  }

  private static void writeJson(JsonGenerator json, String field, byte[] value) throws IOException {
    json.writeFieldName(field);
    json.writeRawValue(new String(value, StandardCharsets.UTF_8));
  }
}
