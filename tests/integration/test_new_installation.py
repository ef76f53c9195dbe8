"""The topics of a copy are checked when they are filled: nothing failed, nobody wrote between, and times are kept."""

from __future__ import annotations

import os

import pytest
from confluent_kafka import Producer
from tests.support.topic_setup import create_topics

from triggers.errors import BrokerUnavailable, CallError
from triggers.kafka.bulk_sender import BulkRecord, BulkSender
from triggers.recovery.new_installation import NewInstallation
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

TIME_MS = 1_700_000_000_000


def event(settings: Settings, partition: int, number: int) -> BulkRecord:
    events = Topology(settings.namespace).events
    return BulkRecord(events, partition, b"s1", b'{"trigger": "t%d"}' % number, time=TIME_MS + number)


def send(settings: Settings, records: list[BulkRecord]) -> tuple[dict[int, int], dict[int, BulkRecord]]:
    """Sends the records, and returns the ends and the last records of the partitions."""
    ends, last = dict.fromkeys(range(settings.partitions), 0), dict[int, BulkRecord]()
    sender = BulkSender(settings)
    for record in records:
        sender.send(record)
        ends[record.partition] += 1
        last[record.partition] = record
    sender.flush()
    return ends, last


def send_foreign(settings: Settings, partition: int) -> None:
    producer = Producer({"bootstrap.servers": settings.brokers})
    producer.produce(Topology(settings.namespace).events, b"{}", b"s2", partition)
    assert producer.flush(30) == 0


def test_events_that_are_where_they_were_sent_pass(settings: Settings) -> None:
    create_topics(settings, has_append_times=False)

    ends, last = send(settings, [event(settings, number % 2, number) for number in range(2_000)])

    assert ends == {0: 1_000, 1: 1_000, 2: 0, 3: 0}
    NewInstallation(settings, 7).check_events(ends, last)


@pytest.mark.parametrize("partition", [0, 3], ids=["between the events", "on an empty partition"])
def test_a_record_of_another_process_is_noticed(settings: Settings, partition: int) -> None:
    create_topics(settings, has_append_times=False)
    ends, last = send(settings, [event(settings, 0, 0)])
    send_foreign(settings, partition)

    with pytest.raises(CallError, match=rf"events/{partition} has offsets 0 to .*: another process writes"):
        NewInstallation(settings, 7).check_events(ends, last)


def test_a_record_of_another_process_in_the_place_of_the_last_event_is_noticed(settings: Settings) -> None:
    create_topics(settings, has_append_times=False)
    send_foreign(settings, 0)

    with pytest.raises(CallError, match="has an unknown record at offset 0: another process writes"):
        NewInstallation(settings, 7).check_events({0: 1, 1: 0, 2: 0, 3: 0}, {0: event(settings, 0, 0)})


def test_a_topic_that_replaces_the_times_is_noticed(settings: Settings) -> None:
    create_topics(settings)

    ends, last = send(settings, [event(settings, 0, 0)])

    with pytest.raises(CallError, match=r"does not keep timestamps \(message\.timestamp\.type\)"):
        NewInstallation(settings, 7).check_events(ends, last)


def test_a_record_that_the_broker_refuses_fails_the_flush(settings: Settings) -> None:
    names = create_topics(settings, limits={Topology(settings.namespace).events: 1_000})
    sender = BulkSender(settings)
    sender.send(BulkRecord(names.events, 0, b"s1", b"{}"))
    sender.send(BulkRecord(names.events, 0, b"s1", os.urandom(5_000)))

    with pytest.raises(BrokerUnavailable, match="Message size too large"):
        sender.flush()
