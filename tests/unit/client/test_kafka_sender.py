"""A sender without a broker: nothing listens at its address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.topic_reader import wait_until

from triggers.errors import BrokerUnavailable
from triggers.kafka.sender import KafkaSender
from triggers.settings import Settings


@pytest.fixture
def sender() -> Iterator[KafkaSender]:
    sender = KafkaSender(Settings(brokers="127.0.0.1:1", namespace="ns", publish_timeout_s=0.3))
    yield sender
    sender.close()


def test_a_producer_that_timed_out_is_replaced(sender: KafkaSender) -> None:
    first = sender.send("ns.events", b"k", b"v")
    assert sender.send("ns.events", b"k", b"v").producer is first.producer

    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 has not acknowledged the record within 0\.3 s"):
        sender.wait_for(first)

    assert sender.send("ns.events", b"k", b"v").producer is not first.producer


def test_other_records_of_a_replaced_producer_are_still_reported(sender: KafkaSender) -> None:
    deliveries = [sender.send("ns.events", b"k", b"v") for _ in range(3)]
    with pytest.raises(BrokerUnavailable):
        sender.wait_for(deliveries[0])

    for delivery in deliveries[1:]:
        with pytest.raises(BrokerUnavailable):
            sender.wait_for(delivery)


def test_a_late_error_of_a_replaced_producer_does_not_replace_its_successor(sender: KafkaSender) -> None:
    deliveries = [sender.send("ns.events", b"k", b"v") for _ in range(2)]
    wait_until(lambda: deliveries[0].producer.flush(1) == 0, "both have timed out")
    with pytest.raises(BrokerUnavailable):
        sender.wait_for(deliveries[0])
    later = sender.send("ns.events", b"k", b"v")

    with pytest.raises(BrokerUnavailable):
        sender.wait_for(deliveries[1])

    assert sender.send("ns.events", b"k", b"v").producer is later.producer
