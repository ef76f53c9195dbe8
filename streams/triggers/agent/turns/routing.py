"""Records on the wrong partition are forwarded to the right one, once."""

from __future__ import annotations

from triggers.kafka.own_headers import FORWARDED
from triggers.kafka.records import Record, headers_of, timestamp_ms
from triggers.store.batch import Output
from triggers.topology import partition_of


def is_misplaced(record: Record, key: bytes, partitions: int) -> bool:
    """Returns whether the record is not on its key's partition, because its producer uses another partitioner."""
    return record.partition() != partition_of(key, partitions)


def was_forwarded(record: Record) -> bool:
    """Returns whether a worker forwarded the record. A null header counts as absent. Raises Undecodable."""
    return any(name == FORWARDED and value is not None for name, value in headers_of(record) or ())


def forward_record(record: Record, key: bytes, topic: str, partitions: int) -> Output:
    """Returns the same record for the right partition, with its original time. Raises Undecodable."""
    mark = (FORWARDED, str(record.partition()).encode())
    headers = [*(headers_of(record) or ()), mark]
    return Output(topic, key, record.value(), partition_of(key, partitions), headers, timestamp_ms(record))
