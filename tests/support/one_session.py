"""Events of one session, and what a group has committed, as tests of a worker need them."""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition
from tests.support.offsets import commit_offsets
from tests.support.questionnaires import Application

from triggers.settings import Settings
from triggers.topology import Topology, partition_of

RULES = {"configuration": {"t_note": {"after": [], "andEvery": "happened", "run": "app.note"}}}


def fire_events(settings: Settings, number: int) -> None:
    """Gives a session of partition 0 its rules, then fires this number of events, each of which causes a command."""
    uid = next(f"s{n}" for n in range(1_000) if partition_of(f"s{n}".encode(), settings.partitions) == 0)
    application = Application(settings)
    application.fire(uid, RULES)
    for event in range(number):
        application.fire(uid, {"trigger": "happened", "kwargs": {"n": event}})
    application.flush()


def commit_offset(settings: Settings, offset: int, partition: int = 0) -> None:
    """Sets the workers' committed offset, as `kafka-consumer-groups.sh --reset-offsets --to-offset` does."""
    names = Topology(settings.namespace)
    committing = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    commit_offsets(committing, [TopicPartition(names.events, partition, offset)])
    committing.close()
