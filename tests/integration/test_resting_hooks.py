"""A hook runner waits to retry a decision while partitions are assigned to another member and come back."""

from __future__ import annotations

import threading
from contextlib import closing

import msgspec
import pytest
from confluent_kafka import Consumer, Producer
from tests.support.topic_reader import wait_until

from triggers.codec import DecisionRecord, encode_decision
from triggers.errors import TryAgain
from triggers.hooks.decision_consumer import DecisionConsumer
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker


@pytest.fixture
def topic(settings: Settings) -> str:
    create_topics(msgspec.structs.replace(settings, decisions=True))
    return Topology(settings.namespace).decisions


def decide(settings: Settings, topic: str, partition: int, session: str) -> None:
    record = DecisionRecord(session=session, partition=partition, offset=0, kind="fire", outcome="applied", time=1)
    producer = Producer({"bootstrap.servers": settings.brokers})
    producer.produce(topic, encode_decision(record), session.encode(), partition)
    assert producer.flush(30) == 0


def another_member(settings: Settings) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": settings.brokers,
            "group.id": Topology(settings.namespace).reader_group("hooks"),
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.auto.commit": False,
        }
    )


def test_partitions_that_were_revoked_during_a_pause_are_read_when_they_are_assigned_again(
    settings: Settings, topic: str
) -> None:
    refused, accept, stopping = threading.Event(), threading.Event(), threading.Event()
    handled: list[str] = []

    def handle(decision: DecisionRecord) -> None:
        if decision.session == "held" and not accept.is_set():
            refused.set()
            raise TryAgain
        handled.append(decision.session)

    decide(settings, topic, 0, "held")
    runner = threading.Thread(target=DecisionConsumer(settings, handle).run, args=(stopping,))
    runner.start()
    try:
        wait_until(refused.is_set, "the runner waits to try it again")
        with closing(another_member(settings)) as other:
            other.subscribe([topic])
            wait_until(lambda: other.poll(0.1) is None and bool(other.assignment()), "another member has partitions")
            moved = {place.partition for place in other.assignment()}
            accept.set()
            wait_until(lambda: 0 in moved or handled == ["held"], "the runner waits no more")

        for partition in moved:
            decide(settings, topic, partition, f"of {partition}")
        expected = {"held", *(f"of {partition}" for partition in moved)}
        wait_until(lambda: expected <= set(handled), "the partitions that came back are read")
    finally:
        accept.set()
        stopping.set()
        runner.join(30)
