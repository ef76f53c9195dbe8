"""A campaign's doors in front of a real broker delay or lose the chosen answers or requests, and no others."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from tests.chaos.brokers import Brokers, running_broker_behind_a_door
from tests.chaos.doors import Answers, Door
from tests.chaos.wire import Api
from tests.support.offsets import fetch_end
from tests.support.topic_reader import stream_topic

from triggers.settings import Settings

pytestmark = pytest.mark.broker

LATE_S = 0.6
TOPIC = "doors"
RECORDS = 20_000


class Front:
    """A broker with one door."""

    def __init__(self, brokers: Brokers) -> None:
        self.brokers = brokers
        self.door: Door = brokers.doors["front"]
        self.address = brokers.addresses_behind("front")

    def seconds_to_look_up_the_end(self, client: str) -> float:
        """Returns the duration of a ListOffsets of a connected client."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "g", "client.id": client})
        try:
            fetch_end(consumer, TopicPartition(TOPIC, 0))
            began = time.monotonic()
            fetch_end(consumer, TopicPartition(TOPIC, 0))
            return time.monotonic() - began
        finally:
            consumer.close()

    def read_back(self) -> list[bytes]:
        """Reads all values of the topic, without the door."""
        return [m.value() or b"" for m in stream_topic(Settings(brokers=self.brokers.addresses), TOPIC)]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with running_broker_behind_a_door("front", tmp_path_factory.mktemp("doors")) as brokers:
        yield Front(brokers)


@pytest.fixture(autouse=True)
def topic(front: Front) -> Iterator[None]:
    admin = AdminClient({"bootstrap.servers": front.brokers.addresses})
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(30)
    yield
    front.door.answers = None
    admin.delete_topics([TOPIC])[TOPIC].result(30)


def publish(front: Front, values: list[bytes], **options: str | int | bool) -> list[str]:
    """Publishes through the door and returns the errors."""
    errors: list[str] = []
    producer = Producer({"bootstrap.servers": front.address, "linger.ms": 5, **options})

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            errors.append(error.name())

    for value in values:
        producer.produce(TOPIC, value, on_delivery=delivered)
        producer.poll(0)
    assert producer.flush(60) == 0
    return errors


def test_a_door_without_a_fault_changes_nothing(front: Front) -> None:
    values = [b"%d" % n for n in range(RECORDS)]

    began = time.process_time()
    assert publish(front, values) == []
    through_the_door = list(stream_topic(Settings(brokers=front.address), TOPIC))

    assert [m.value() for m in through_the_door] == values
    assert RECORDS / (time.process_time() - began) > 5_000, "records in a second of CPU, each through the door twice"


def test_answers_of_one_kind_are_late_for_the_chosen_clients(front: Front) -> None:
    front.door.answers = Answers(apis=frozenset({Api.LIST_OFFSETS}), client=b"@", delay_s=LATE_S)
    before = front.door.late["ListOffsets"]

    assert front.seconds_to_look_up_the_end("worker@1") >= LATE_S / 2
    front.seconds_to_look_up_the_end("another")
    # the first and the last offset are looked up twice
    assert front.door.late["ListOffsets"] == before + 2 * 2
    assert set(front.door.late) == {"ListOffsets"}


def test_a_request_whose_answer_is_lost_was_executed(front: Front) -> None:
    front.door.answers = Answers(apis=frozenset({Api.PRODUCE}), loss=1.0)

    errors = publish(front, [b"once"], acks="all", retries=0)

    assert errors == ["_TRANSPORT"]
    assert front.read_back() == [b"once"]


def test_a_request_that_is_lost_was_not_executed(front: Front) -> None:
    front.door.answers = Answers(apis=frozenset({Api.PRODUCE}), unheard=1.0)

    errors = publish(front, [b"never"], acks="all", retries=0)

    assert errors == ["_TRANSPORT"]
    assert front.door.unheard["Produce"] > 0
    assert front.read_back() == []


def test_an_idempotent_producer_resends_unanswered_records_and_each_is_there_once(front: Front) -> None:
    front.door.answers = Answers(apis=frozenset({Api.PRODUCE}), loss=0.3)
    before, values = front.door.lost["Produce"], [b"%d" % n for n in range(2_000)]

    errors = publish(front, values, **{"enable.idempotence": True, "batch.num.messages": 50, "retry.backoff.ms": 10})

    assert errors == []
    assert front.read_back() == values
    assert front.door.lost["Produce"] > before
