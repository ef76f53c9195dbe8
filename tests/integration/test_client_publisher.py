"""Publishing to a real Kafka: partitions and coordinates, errors, threads and forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from confluent_kafka import Message
from msgspec import structs

from triggers.client import Coordinates, KafkaPublisher
from triggers.codec import EventDecoder, decode_key
from triggers.core.events import ConfigurationUpdated, TriggerFired
from triggers.errors import BrokerUnavailable, TooLarge
from triggers.kafka.range_reads import read_range
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker

FIRED = TriggerFired(trigger="pageReceived", kwargs=b'{"page": 3}', id="a1", time=5)


@pytest.fixture
def topics(settings: Settings) -> Settings:
    create_topics(settings)
    return settings


@pytest.fixture
def publisher(topics: Settings) -> Iterator[KafkaPublisher]:
    publisher = KafkaPublisher(topics)
    yield publisher
    publisher.close()


def published(settings: Settings) -> dict[Coordinates, Message]:
    starts = dict.fromkeys(range(settings.partitions), 0)
    messages = read_range(settings, Topology(settings.namespace).events, starts)
    return {Coordinates(m.partition() or 0, m.offset() or 0): m for m in messages}


def test_an_event_is_safe_at_its_coordinates_when_publish_returns(topics: Settings, publisher: KafkaPublisher) -> None:
    coordinates = publisher.publish("session-ü", FIRED)

    message = published(topics)[coordinates]
    event = EventDecoder(1000).decode(message.value(), None, coordinates.offset, 0)
    assert decode_key(message.key()) == "session-ü"
    assert event == structs.replace(FIRED, position=coordinates.offset)


def test_a_session_lives_on_the_partition_that_java_would_choose(topics: Settings, publisher: KafkaPublisher) -> None:
    for uid in [f"session-{n}" for n in range(50)]:
        assert publisher.publish(uid, FIRED).partition == partition_of(uid.encode(), topics.partitions)


def test_many_events_are_published_in_order_and_reported_in_order(topics: Settings, publisher: KafkaPublisher) -> None:
    events = [(f"s{n % 7}", structs.replace(FIRED, id=str(n))) for n in range(3000)]

    reported = list(publisher.publish_many(events, in_flight=500))

    messages = published(topics)
    decoded = [EventDecoder(1000).decode(messages[place].value(), None, 0, 0).id for place in reported]
    assert decoded == [event.id for _, event in events]
    assert len(messages) == len(events)


def test_publishing_many_reads_no_further_ahead_than_may_be_in_flight(publisher: KafkaPublisher) -> None:
    numbers = []

    def events() -> Iterator[tuple[str, TriggerFired]]:
        for n in range(100):
            numbers.append(n)
            yield "s", FIRED

    reports = publisher.publish_many(events(), in_flight=10)
    next(reports)

    assert len(numbers) <= 11


def test_a_payload_above_the_limit_is_never_published(topics: Settings, publisher: KafkaPublisher) -> None:
    with pytest.raises(TooLarge, match="max_payload_bytes"):
        publisher.publish("s", structs.replace(FIRED, kwargs=b"x" * (topics.max_payload_bytes + 1)))

    assert published(topics) == {}


def test_a_payload_of_the_largest_size_fits_the_topic(topics: Settings, publisher: KafkaPublisher) -> None:
    kwargs = b'{"a": "' + b"x" * (topics.max_payload_bytes - 9) + b'"}'

    coordinates = publisher.publish("s" * 1024, ConfigurationUpdated(configuration=kwargs))

    assert len(kwargs) == topics.max_payload_bytes
    assert coordinates in published(topics)


def test_a_record_that_the_topic_refuses_is_too_large(topics: Settings) -> None:
    generous = structs.replace(topics, max_payload_bytes=5_000_000)
    noise = os.urandom(2_000_000)  # random, so that compression does not make it fit

    with pytest.raises(TooLarge, match=r"max\.message\.bytes"):
        KafkaPublisher(generous).publish("s", structs.replace(FIRED, kwargs=noise))


def test_the_error_for_a_missing_topic_says_how_to_create_it_and_publishing_works_afterwards(
    settings: Settings,
) -> None:
    publisher = KafkaPublisher(settings)

    with pytest.raises(BrokerUnavailable, match="triggers topics create"):
        publisher.publish("s", FIRED)
    create_topics(settings)

    assert publisher.publish("s", FIRED).offset == 0


def test_threads_share_a_publisher(topics: Settings, publisher: KafkaPublisher) -> None:
    places: list[Coordinates] = []

    def publish(thread: int) -> None:
        places.extend(publisher.publish(f"s{thread}-{n}", FIRED) for n in range(50))

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(set(places)) == 200
    assert set(places) == set(published(topics))


FORKING = """
import os, sys
from triggers.client import KafkaPublisher
from triggers.core.events import TriggerFired
from triggers.settings import Settings

publisher = KafkaPublisher(Settings(brokers=sys.argv[1], namespace=sys.argv[2]))
publisher.publish("parent", TriggerFired(trigger="before"))
children = []
for n in range(3):
    child = os.fork()
    if child == 0:
        publisher.publish(f"child-{n}", TriggerFired(trigger="in child"))
        publisher.close()
        del publisher
        sys.exit(0)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
publisher.publish("parent", TriggerFired(trigger="after"))
publisher.close()
sys.exit(max(codes))
"""


def test_a_publisher_made_before_a_fork_works_in_parent_and_child_and_lets_the_child_exit(topics: Settings) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKING, topics.brokers, topics.namespace]

    finished = subprocess.run(command, timeout=120, check=False, capture_output=True, text=True)

    assert (finished.returncode, finished.stderr) == (0, "")
    keys = sorted(decode_key(message.key()) for message in published(topics).values())
    assert keys == ["child-0", "child-1", "child-2", "parent", "parent"]


def test_an_unreachable_broker_is_reported_after_the_publish_timeout(settings: Settings) -> None:
    nobody = structs.replace(settings, brokers="127.0.0.1:1", publish_timeout_s=1.0)

    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"):
        KafkaPublisher(nobody).publish("s", FIRED)
