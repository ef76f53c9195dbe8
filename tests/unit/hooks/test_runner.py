"""Hooks read a session that includes the decision, and what they write is applied once."""

from __future__ import annotations

import pytest

from triggers.client import Coordinates
from triggers.codec import DecisionRecord
from triggers.core.events import Event, TriggerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session
from triggers.hooks.runner import HookStorages
from triggers.settings import Settings


class Log:
    """A publisher and a source that record their calls. `last` is the offset of the last event on the topic."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.ids: list[str | None] = []
        self.reads: list[Coordinates | None] = []

    def publish(self, uid: str, event: Event) -> Coordinates:  # noqa: ARG002  # one session
        self.ids.append(event.id)
        self.last += 1
        return Coordinates(2, self.last)

    def read(self, uid: str, after: Coordinates | None = None) -> SessionView:
        self.reads.append(after)
        return view_session(Session(uid, MemoryRows(), Plans()))

    def storages(self) -> HookStorages:
        return HookStorages(Settings(), "hooks", self, self, lambda _: self.last)


def decision(offset: int, partition: int = 2) -> DecisionRecord:
    return DecisionRecord(session="s", partition=partition, offset=offset, kind="fire", outcome="applied", time=0)


@pytest.fixture
def log() -> Log:
    return Log(last=10)


def test_a_hook_reads_what_was_on_the_partition_when_it_began(log: Log) -> None:
    log.storages().storage_for(decision(5)).read()

    assert log.reads == [Coordinates(2, 10)]


def test_a_later_hook_reads_no_session_older_than_its_decision(log: Log) -> None:
    storages = log.storages()
    storages.storage_for(decision(5))

    storages.storage_for(decision(20)).read()

    assert log.reads == [Coordinates(2, 20)]


def test_a_hook_reads_what_earlier_hooks_wrote_on_its_partition(log: Log) -> None:
    storages = log.storages()
    storages.storage_for(decision(5)).write(TriggerFired(trigger="t"))

    storages.storage_for(decision(6)).read()
    storages.storage_for(decision(6, partition=3)).read()

    assert log.reads == [Coordinates(2, 11), Coordinates(3, 11)]


def test_after_a_rebalance_a_hook_reads_what_other_members_wrote(log: Log) -> None:
    storages = log.storages()
    storages.storage_for(decision(5))
    log.last = 30

    storages.storage_for(decision(6)).read()
    storages.forget_offsets()
    storages.storage_for(decision(6)).read()

    assert log.reads == [Coordinates(2, 10), Coordinates(2, 30)]


def test_what_a_hook_writes_has_the_same_ids_when_it_runs_again_and_others_otherwise(log: Log) -> None:
    one, other = TriggerFired(trigger="t", kwargs=b'{"n": 1}'), TriggerFired(trigger="t", kwargs=b'{"n": 2}')
    for offset in (5, 5, 6):
        storage = log.storages().storage_for(decision(offset))
        for event in (one, one, other, TriggerFired(trigger="t", id="its-own")):
            storage.write(event)

    first, again, next_decision = log.ids[:4], log.ids[4:8], log.ids[8:]

    assert first == again
    assert len({*first, *next_decision}) == 3 + 3 + 1
    assert first[3] == "its-own"
