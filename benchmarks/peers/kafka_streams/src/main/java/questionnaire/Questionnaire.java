package questionnaire;

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Reads events and writes commands, exactly once: {@code Questionnaire BROKERS NAMESPACE FOLDER session|rows MS LINGER}. */
public final class Questionnaire {
  private static final long CACHE_BYTES = 10 * 1024 * 1024;

  private Questionnaire() {}

  /** Runs until the process is ended. */
  public static void main(String[] arguments) {
    String namespace = arguments[1];
    boolean rowForEachPage = arguments[3].equals("rows");
    Properties options = options(arguments[0], namespace, arguments[2], arguments[4], arguments[5]);
    KafkaStreams streams = new KafkaStreams(topology(namespace, rowForEachPage), options);
    streams.setStateListener((now, before) -> {
      if (now == KafkaStreams.State.ERROR) {
        Runtime.getRuntime().halt(1);
      }
    });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }

  private static Topology topology(String namespace, boolean rowForEachPage) {
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(Rules.SESSIONS), Serdes.String(), Session.serde())
        .withCachingEnabled());
    String[] stores = {Rules.SESSIONS};
    if (rowForEachPage) {
      builder.addStateStore(pages());
      stores = new String[] {Rules.SESSIONS, Rules.PAGES};
    }
    builder.stream(namespace + ".events", Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .process(() -> new Rules(rowForEachPage), stores)
        .to(namespace + ".commands", Produced.with(Serdes.String(), Serdes.ByteArray()));
    return builder.build();
  }

  private static StoreBuilder<?> pages() {
    return Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(Rules.PAGES), Serdes.String(), Serdes.ByteArray())
        .withCachingEnabled();
  }

  private static Properties options(
      String brokers, String namespace, String folder, String commitMs, String lingerMs) {
    Properties options = new Properties();
    options.putAll(Map.of(
        StreamsConfig.APPLICATION_ID_CONFIG, namespace + ".streams",
        StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers,
        StreamsConfig.STATE_DIR_CONFIG, folder,
        StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2,
        StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, commitMs,
        StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1,
        StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, CACHE_BYTES,
        StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 4000));
    options.putAll(Map.of(
        StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4",
        StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 262_144,
        StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), lingerMs));
    return options;
  }
}
