"""While the broker is away, an application's calls fail at once, and work again when it is back."""

from __future__ import annotations

import time

import pytest
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.client import KafkaPublisher
from triggers.core.events import TriggerFired
from triggers.dev.broker import Broker
from triggers.errors import BrokerUnavailable
from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

EVENT = TriggerFired(trigger="a", kwargs=b"{}")


def test_only_the_first_call_waits_for_an_unavailable_broker(own_broker: Broker, namespace: str) -> None:
    settings = Settings(brokers=own_broker.address, namespace=namespace, partitions=1, publish_timeout_s=3.0)
    create_topics(settings)
    publisher = KafkaPublisher(settings)
    first = publisher.publish("s", EVENT)
    own_broker.kill()

    with pytest.raises(BrokerUnavailable, match="Kafka at"):
        publisher.publish("s", EVENT)
    started = time.monotonic()
    for _ in range(100):
        with pytest.raises(BrokerUnavailable, match="nothing was sent"):
            publisher.publish("s", EVENT)
    assert time.monotonic() - started < 2, "a hundred calls together take less than one that waits"

    own_broker.start()
    wait_until(lambda: _is_published(publisher), "an event is published, without a new publisher")
    assert first.offset == 0


def _is_published(publisher: KafkaPublisher) -> bool:
    try:
        publisher.publish("s", EVENT)
    except BrokerUnavailable:
        return False
    return True
