"""librdkafka's own error codes: public, although their names begin with an underscore."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError

PARTITION_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001  # see above
NO_SUCH_OFFSET: Final = frozenset(
    {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001
)
"""The offset to read from is not in the log, and `auto.offset.reset=error` forbids to choose another one."""
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
ALREADY_ABORTED: Final = frozenset(
    {KafkaError._STATE, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}  # noqa: SLF001
)
"""The transaction is lost already; what is produced into it now is refused locally."""
