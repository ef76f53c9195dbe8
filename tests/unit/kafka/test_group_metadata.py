from __future__ import annotations

import pytest
from confluent_kafka import Consumer

from triggers.kafka.group_metadata import UnknownMetadata, generation_of


def test_a_consumer_that_has_not_joined_has_no_generation() -> None:
    consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0})
    try:
        assert generation_of(consumer.consumer_group_metadata()) == -1
    finally:
        consumer.close()


@pytest.mark.parametrize("metadata", [b"", b"CGMDv2:\x01", b"CGMDv3:\x01\x00\x00\x00g\x00m\x00"])
def test_another_format_is_refused(metadata: bytes) -> None:
    with pytest.raises(UnknownMetadata, match="begins with"):
        generation_of(metadata)
