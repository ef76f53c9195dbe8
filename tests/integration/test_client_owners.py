"""The owner of a session is found by the consumer group of a real Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer
from msgspec import structs

from triggers.client.owners import Owners
from triggers.errors import BrokerUnavailable, OwnerUnavailable
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker


@contextmanager
def member(settings: Settings, client_id: str) -> Iterator[Consumer]:
    """A member of the workers' group."""
    names = Topology(settings.namespace)
    consumer = Consumer(
        {
            "bootstrap.servers": settings.brokers,
            "group.id": names.agents,
            "client.id": client_id,
            "partition.assignment.strategy": "cooperative-sticky",
        }
    )
    consumer.subscribe([names.events])
    try:
        yield consumer
    finally:
        consumer.close()


def poll_until(condition: Callable[[], bool], *consumers: Consumer) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the group never got there"
        for consumer in consumers:
            consumer.poll(0.05)


def test_a_session_is_owned_by_the_member_that_has_its_partition(settings: Settings) -> None:
    create_topics(settings)
    owners = Owners(settings)

    with member(settings, "a-0@http://10.0.0.1:6066") as first, member(settings, "b-0@https://b:1/x") as second:
        poll_until(lambda: len(first.assignment()) == len(second.assignment()) == 2, first, second)

        urls = {partition.partition: "http://10.0.0.1:6066" for partition in first.assignment()}
        urls |= {partition.partition: "https://b:1/x" for partition in second.assignment()}
        for uid in ("s1", "ü", "x" * 1024):
            assert owners.partition_of_session(uid) == partition_of(uid.encode(), settings.partitions)
            assert owners.url_of_owner(owners.partition_of_session(uid)) == urls[owners.partition_of_session(uid)]
        assert owners.urls_of_workers() == ["http://10.0.0.1:6066", "https://b:1/x"]


def test_owners_are_remembered_until_they_are_forgotten(settings: Settings) -> None:
    create_topics(settings)
    owners = Owners(settings)
    with member(settings, "a-0@http://a") as first:
        poll_until(lambda: len(first.assignment()) == settings.partitions, first)
        assert owners.url_of_owner(0) == "http://a"

    assert owners.url_of_owner(0) == "http://a"
    owners.forget_owners()
    with pytest.raises(OwnerUnavailable, match=f"{settings.namespace}.agents"):
        owners.url_of_owner(0)


def test_a_group_that_never_existed_has_no_owners(settings: Settings) -> None:
    create_topics(settings)

    with pytest.raises(OwnerUnavailable, match="partition 3 has no owner"):
        Owners(settings).url_of_owner(3)


def test_without_topics_there_is_nothing_to_own(settings: Settings) -> None:
    with pytest.raises(OwnerUnavailable, match="triggers topics create"):
        Owners(settings).partition_of_session("s1")


def test_without_a_broker_the_owner_is_unknown(settings: Settings) -> None:
    alone = structs.replace(settings, brokers="127.0.0.1:1", read_timeout_s=0.5)

    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"):
        Owners(alone).partition_of_session("s1")
