"""librdkafka's own error codes: public, although their names begin with an underscore."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError

PARTITION_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001  # see above
NO_SUCH_OFFSET: Final = frozenset(
    {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001
)
"""The offset to read from is not in the log, and `auto.offset.reset=error` forbids to choose another one."""
TIMED_OUT: Final = KafkaError._TIMED_OUT  # noqa: SLF001
ALL_BROKERS_DOWN: Final = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
FENCING: Final = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
    }
)
"""Another process runs under the same transactional id."""
PASSING: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
    }
)
"""Errors that a consumer outlives by itself, beside those that Kafka calls retriable. With any other one it would stay
in its group for ever without being given a record."""
ALREADY_ABORTED: Final = frozenset(
    {KafkaError._STATE, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}  # noqa: SLF001
)
"""The transaction is lost already; what is produced into it now is refused locally."""
