"""A Kafka client leaves out decisions. Each is delivered in order, and a lost one is reported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from tests.support.skipping_clients import SkippingConsumer, make_skipping_class
from tests.support.topic_reader import wait_until

from triggers.codec import DecisionRecord, encode_decision
from triggers.errors import RecordsRemoved, RecordsSkipped, TryAgain
from triggers.hooks import decision_consumer
from triggers.hooks.decision_consumer import DecisionConsumer
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

TO_THE_END = 1_000_000


@pytest.fixture
def topic(settings: Settings) -> str:
    create_topics(msgspec.structs.replace(settings, decisions=True))
    return Topology(settings.namespace).decisions


def decided(settings: Settings, topic: str, transactions: int = 10, each: int = 5) -> list[int]:
    """Writes decisions to partition 0, several per transaction, and returns their numbers."""
    producer = Producer(
        {"bootstrap.servers": settings.brokers, "transactional.id": f"{topic}-test", "retry.backoff.ms": 2}
    )
    producer.init_transactions(60)
    for transaction in range(transactions):
        producer.begin_transaction()
        for n in range(each):
            record = DecisionRecord(
                session="s1", partition=0, offset=transaction * each + n, kind="fire", outcome="applied", time=1
            )
            producer.produce(topic, encode_decision(record), b"s1", 0)
        producer.commit_transaction(60)
    return list(range(transactions * each))


class Running:
    """A consumer of decisions in a thread."""

    def __init__(self, settings: Settings, handle: Callable[[DecisionRecord], None]) -> None:
        self.error: Exception | None = None
        self._consumer = DecisionConsumer(settings, handle)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(30)

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._consumer.run(self._stopping)
        except Exception as error:  # noqa: BLE001  # the test checks it
            self.error = error


@pytest.mark.parametrize(("first", "length"), [(0, 1), (3, 4), (12, 20), (7, TO_THE_END)])
def test_decisions_that_the_client_left_out_are_handed_over_in_order(
    settings: Settings, topic: str, monkeypatch: pytest.MonkeyPatch, first: int, length: int
) -> None:
    numbers, handled = decided(settings, topic), list[int]()
    faulty = make_skipping_class(first, length)
    monkeypatch.setattr(decision_consumer, "Consumer", faulty)

    with Running(settings, lambda decision: handled.append(decision.offset)) as running:
        wait_until(lambda: running.has_ended or len(handled) >= len(numbers), "all are handed over")

    assert running.error is None
    assert handled == numbers
    assert faulty.left_out == min(length, len(numbers) - first)


def test_decisions_wait_in_their_order_while_one_is_tried_again(
    settings: Settings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers, handled = decided(settings, topic), list[int]()
    faulty: type[SkippingConsumer] = make_skipping_class(20, 9)
    monkeypatch.setattr(decision_consumer, "Consumer", faulty)
    refused = set[int]()

    def handle(decision: DecisionRecord) -> None:
        if decision.offset in {2, 21, 40} - refused:
            refused.add(decision.offset)
            raise TryAgain
        handled.append(decision.offset)

    with Running(settings, handle) as running:
        wait_until(lambda: running.has_ended or len(handled) >= len(numbers), "all are handed over")

    assert handled == numbers
    assert faulty.left_out == 9


def test_a_client_that_leaves_out_decisions_every_time_ends_the_runner(
    settings: Settings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers, handled = decided(settings, topic), list[int]()
    with monkeypatch.context() as planted:
        planted.setattr(decision_consumer, "Consumer", make_skipping_class(12, 2, always=True))
        with Running(settings, lambda decision: handled.append(decision.offset)) as running:
            wait_until(lambda: running.has_ended, "it gives up")

    assert isinstance(running.error, RecordsSkipped)
    assert handled == numbers[:12]

    with Running(settings, lambda decision: handled.append(decision.offset)) as healthy:
        wait_until(lambda: healthy.has_ended or numbers[-1] in handled, "a healthy one goes on")
    assert handled == numbers


def test_decisions_that_were_removed_before_a_hook_saw_them_end_the_runner_which_says_what_to_do(
    settings: Settings, topic: str
) -> None:
    handled = list[int]()
    decided(settings, topic, transactions=1)
    with Running(settings, lambda decision: handled.append(decision.offset)):
        wait_until(lambda: len(handled) == 5, "the first ones are handed over")
    decided(settings, topic, transactions=3)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.delete_records([TopicPartition(topic, 0, 12)])[TopicPartition(topic, 0)].result(30)

    with Running(settings, lambda decision: handled.append(decision.offset)) as late:
        wait_until(lambda: late.has_ended, "it ends")

    assert isinstance(late.error, RecordsRemoved)
    assert f"{topic}/0 begins at offset 12" in str(late.error)
    assert "kafka-consumer-groups.sh --group" in str(late.error)
    assert len(handled) == 5
