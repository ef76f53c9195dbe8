"""Hooks read a session that includes the decision, and what they write is applied once."""

from __future__ import annotations

import pytest
from tests.support.memory_stream import MemoryStream

from triggers.client import Coordinates
from triggers.codec import DecisionRecord
from triggers.core.events import TriggerFired
from triggers.hooks.runner import HookStorages
from triggers.settings import Settings

FIRED = TriggerFired(trigger="t")


def storages_on(stream: MemoryStream) -> HookStorages:
    return HookStorages(Settings(), "hooks", stream, stream, lambda _: stream.next_offset - 1)


def reads(stream: MemoryStream) -> list[Coordinates | None]:
    return [after for _, after in stream.reads]


def decision(offset: int, partition: int = 2) -> DecisionRecord:
    return DecisionRecord(session="s", partition=partition, offset=offset, kind="fire", outcome="applied", time=0)


@pytest.fixture
def log() -> MemoryStream:
    """A partition whose last event is at offset 10."""
    stream = MemoryStream(partition=2, next_offset=10)
    stream.publish("s", FIRED)
    stream.published.clear()
    return stream


def test_a_hook_reads_what_was_on_the_partition_when_it_began(log: MemoryStream) -> None:
    storages_on(log).storage_for(decision(5)).read()

    assert reads(log) == [Coordinates(2, 10)]


def test_a_later_hook_reads_no_session_older_than_its_decision(log: MemoryStream) -> None:
    storages = storages_on(log)
    storages.storage_for(decision(5))
    log.next_offset = 21

    storages.storage_for(decision(20)).read()

    assert reads(log) == [Coordinates(2, 20)]


def test_a_hook_reads_what_earlier_hooks_wrote_on_its_partition(log: MemoryStream) -> None:
    storages = storages_on(log)
    storages.storage_for(decision(5)).write(FIRED)

    storages.storage_for(decision(6)).read()
    storages.storage_for(decision(6, partition=3)).read()

    assert reads(log) == [Coordinates(2, 11), Coordinates(3, 11)]


def test_after_a_rebalance_a_hook_reads_what_other_members_wrote(log: MemoryStream) -> None:
    storages = storages_on(log)
    storages.storage_for(decision(5))
    log.next_offset = 31

    storages.storage_for(decision(6)).read()
    storages.forget_offsets()
    storages.storage_for(decision(6)).read()

    assert reads(log) == [Coordinates(2, 10), Coordinates(2, 30)]


def test_what_a_hook_writes_has_the_same_ids_when_it_runs_again_and_others_otherwise(log: MemoryStream) -> None:
    one, other = TriggerFired(trigger="t", kwargs=b'{"n": 1}'), TriggerFired(trigger="t", kwargs=b'{"n": 2}')
    for offset in (5, 5, 6):
        storage = storages_on(log).storage_for(decision(offset))
        for event in (one, one, other, TriggerFired(trigger="t", id="its-own")):
            storage.write(event)

    ids = [event.id for _, event in log.published]
    first, again, next_decision = ids[:4], ids[4:8], ids[8:]

    assert first == again
    assert len({*first, *next_decision}) == 3 + 3 + 1
    assert first[3] == "its-own"
