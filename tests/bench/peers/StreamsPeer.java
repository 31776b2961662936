import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The heart of botmeter's job on Kafka Streams, exactly once: a 24-hour window per end-user, a counter per account; outputs are
 * each session start, and the balance of each account a commit changed, once a commit.
 *
 * What it leaves out, to its advantage: cycles, pools, thresholds, alerts, exhaustion, handoffs, commands, dead letters, checks
 * of keys and duplicate fields, an event journal, and ever forgetting a window.
 *
 * Arguments: input topic, topic of session starts, topic of balances, `mapper` or `parser` (what reads JSON), then options of
 * Kafka Streams as name=value.
 */
public final class StreamsPeer {
    private static final long DAY_MS = 86_400_000L;
    private static final long AHEAD_LIMIT_MS = 300_000L;
    private static final long LATE_LIMIT_MS = 172_800_000L;
    private static final String WINDOWS = "windows";
    private static final String USED = "used";

    private StreamsPeer() {}

    record Interaction(
            String accountId, String endUserId, String botId, String conversationId, String actor, boolean preview, long occurredAt) {}

    public static void main(String[] arguments) throws InterruptedException {
        Deserializer<Interaction> reader = arguments[3].equals("mapper") ? new MapperReader() : new ParserReader();
        var streams = new KafkaStreams(topology(arguments[0], arguments[1], arguments[2], reader), options(arguments));
        var ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
            ended.countDown();
        }));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        ended.await();
    }

    private static Properties options(String[] arguments) {
        var options = new Properties();
        options.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        options.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
        options.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        options.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        Arrays.stream(arguments).skip(4).map(option -> option.split("=", 2)).forEach(pair -> options.put(pair[0], pair[1]));
        return options;
    }

    private static org.apache.kafka.streams.Topology topology(
            String input, String sessions, String balances, Deserializer<Interaction> reader) {
        var builder = new StreamsBuilder();
        builder.addStateStore(
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(WINDOWS), Serdes.String(), Serdes.Long()).withCachingEnabled());
        Serde<Interaction> json = Serdes.serdeFrom(new NeverWritten(), reader);
        KStream<String, byte[]> started =
                builder.stream(input, Consumed.with(Serdes.String(), json)).processValues(SessionStarts::new, WINDOWS);
        started.to(sessions, Produced.with(Serdes.String(), Serdes.ByteArray()));
        started.groupByKey(Grouped.with(Serdes.String(), Serdes.ByteArray()))
                .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as(USED)
                        .withKeySerde(Serdes.String())
                        .withValueSerde(Serdes.Long())
                        .withCachingEnabled())
                .toStream()
                .mapValues(StreamsPeer::balance)
                .to(balances, Produced.with(Serdes.String(), Serdes.ByteArray()));
        return builder.build();
    }

    private static byte[] balance(String accountId, Long used) {
        return ("{\"type\":\"balance\",\"account_id\":\"" + accountId + "\",\"used\":" + used + ",\"total\":1000000,\"remaining\":"
                        + (1_000_000 - used) + "}")
                .getBytes(StandardCharsets.UTF_8);
    }

    /** Opens a session where no known start covers the interaction. */
    private static final class SessionStarts implements FixedKeyProcessor<String, Interaction, byte[]> {
        private FixedKeyProcessorContext<String, byte[]> context;
        private KeyValueStore<String, Long> windows;

        @Override
        public void init(FixedKeyProcessorContext<String, byte[]> context) {
            this.context = context;
            this.windows = context.getStateStore(WINDOWS);
        }

        @Override
        public void process(FixedKeyRecord<String, Interaction> read) {
            var interaction = read.value();
            if (!"end_user".equals(interaction.actor()) || interaction.botId() == null) {
                return;
            }
            long behind = read.timestamp() - interaction.occurredAt();
            if (behind < -AHEAD_LIMIT_MS || behind > LATE_LIMIT_MS) {
                return;
            }
            var window = interaction.accountId() + (interaction.preview() ? "\u0000p\u0000" : "\u0000") + interaction.endUserId();
            var startedAt = windows.get(window);
            if (startedAt == null || Math.abs(interaction.occurredAt() - startedAt) >= DAY_MS) {
                windows.put(window, interaction.occurredAt());
                context.forward(read.withValue(started(interaction, read.timestamp())));
            }
        }

        private static byte[] started(Interaction interaction, long at) {
            return ("{\"type\":\"session_started\",\"account_id\":\"" + interaction.accountId() + "\",\"end_user_id\":\""
                            + interaction.endUserId() + "\",\"conversation_id\":\"" + interaction.conversationId() + "\",\"bot_id\":\""
                            + interaction.botId() + "\",\"at_ms\":" + at + ",\"started_at_ms\":" + interaction.occurredAt() + "}")
                    .getBytes(StandardCharsets.UTF_8);
        }
    }

    /** By Jackson's mapper and the library of dates, as it is usually written. */
    private static final class MapperReader implements Deserializer<Interaction> {
        record Read(
                String accountId, String endUserId, String botId, String conversationId, String actor, boolean preview, String occurredAt) {}

        private final ObjectReader reader = new ObjectMapper()
                .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false)
                .readerFor(Read.class);

        @Override
        public Interaction deserialize(String topic, byte[] data) {
            try {
                Read read = reader.readValue(data);
                long occurredAt = Instant.parse(read.occurredAt()).toEpochMilli();
                return new Interaction(
                        read.accountId(), read.endUserId(), read.botId(), read.conversationId(), read.actor(), read.preview(), occurredAt);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }

    /** By Jackson's streaming parser, the fastest it has, and dates by hand. */
    private static final class ParserReader implements Deserializer<Interaction> {
        private final JsonFactory factory = new JsonFactory();

        @Override
        public Interaction deserialize(String topic, byte[] data) {
            String accountId = null, endUserId = null, botId = null, conversationId = null, actor = null;
            boolean preview = false;
            long occurredAt = 0;
            try (JsonParser parser = factory.createParser(data)) {
                parser.nextToken();
                for (var name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                    var token = parser.nextToken();
                    switch (name) {
                        case "account_id" -> accountId = parser.getText();
                        case "end_user_id" -> endUserId = parser.getText();
                        case "bot_id" -> botId = token == JsonToken.VALUE_NULL ? null : parser.getText();
                        case "conversation_id" -> conversationId = parser.getText();
                        case "actor" -> actor = parser.getText();
                        case "preview" -> preview = token == JsonToken.VALUE_TRUE;
                        case "occurred_at" -> occurredAt = millis(parser.getText());
                        default -> parser.skipChildren();
                    }
                }
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            return new Interaction(accountId, endUserId, botId, conversationId, actor, preview, occurredAt);
        }

        /** UTC milliseconds; by hand for the usual 2026-11-25T10:00:00.000Z, which the library takes ten times as long for. */
        private static long millis(String text) {
            if (text.length() != 24 || text.charAt(23) != 'Z') {
                return OffsetDateTime.parse(text).toInstant().toEpochMilli();
            }
            long day = LocalDate.of(number(text, 0, 4), number(text, 5, 7), number(text, 8, 10)).toEpochDay();
            long seconds = number(text, 11, 13) * 3600L + number(text, 14, 16) * 60L + number(text, 17, 19);
            return day * DAY_MS + seconds * 1000L + number(text, 20, 23);
        }

        private static int number(String text, int begin, int end) {
            return Integer.parseInt(text, begin, end, 10);
        }
    }

    private static final class NeverWritten implements Serializer<Interaction> {
        @Override
        public byte[] serialize(String topic, Interaction data) {
            throw new UnsupportedOperationException("interactions are only read");
        }
    }
}
