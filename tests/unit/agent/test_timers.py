from __future__ import annotations

import pytest

from triggers.agent import timers
from triggers.agent.batch import Batch
from triggers.agent.records import Output
from triggers.agent.timers import Timers
from triggers.codec import EventDecoder
from triggers.core.events import TimerFired
from triggers.core.state.rows import TIMER_ROW, MemoryRows, timer_key
from triggers.telemetry.metrics import Metrics

PAST, FUTURE = 1_000, 2**62


@pytest.fixture
def rows() -> MemoryRows:
    return MemoryRows()


@pytest.fixture
def watch(rows: MemoryRows, monkeypatch: pytest.MonkeyPatch) -> Timers:
    monkeypatch.setattr(timers, "_INTERVAL_S", 0)
    return Timers("test.events", lambda _partition: rows, Metrics())


def look(watch: Timers, *ready: int) -> list[Output]:
    return watch.due(Batch({}, frozenset(ready)))


def set_timer(rows: MemoryRows, due: int, instance: str = "t#0", kind: str = "") -> None:
    rows[timer_key(due, "s1", instance, 2, kind)] = TIMER_ROW


async def test_a_due_timer_becomes_an_event_on_the_partition_of_its_session(rows: MemoryRows, watch: Timers) -> None:
    set_timer(rows, PAST)

    (output,) = look(watch, 3)

    assert (output.topic, output.key, output.partition) == ("test.events", b"s1", 3)
    event = EventDecoder(1_000, None).decode(output.value, None, 7, 99)
    assert event == TimerFired(instance="t#0", attempt=2, due=PAST, position=7, time=99, source="worker")


async def test_the_event_of_a_timer_of_edition_2_has_its_kind(rows: MemoryRows, watch: Timers) -> None:
    set_timer(rows, PAST, kind="deadline")

    (output,) = look(watch, 3)

    event = EventDecoder(1_000, None).decode(output.value, None, 7, 99)
    assert event == TimerFired(
        instance="t#0", attempt=2, due=PAST, kind="deadline", position=7, time=99, source="worker"
    )


async def test_a_timer_that_is_not_due_and_one_of_another_worker_are_not_published(
    rows: MemoryRows, watch: Timers
) -> None:
    set_timer(rows, FUTURE)
    assert look(watch, 0) == []

    set_timer(rows, PAST)
    assert look(watch) == []


async def test_a_timer_is_not_published_again_before_its_event_is_applied(rows: MemoryRows, watch: Timers) -> None:
    set_timer(rows, PAST)

    assert len(look(watch, 0)) == 1
    assert look(watch, 0) == []


async def test_a_timer_is_published_again_after_an_abort_or_a_new_assignment(rows: MemoryRows, watch: Timers) -> None:
    set_timer(rows, PAST)
    look(watch, 0)

    watch.forget()
    assert len(look(watch, 0)) == 1

    watch.forget(frozenset({0}))
    assert len(look(watch, 0)) == 1


async def test_timers_beyond_the_limit_follow_in_the_next_turn(
    rows: MemoryRows, watch: Timers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "_MAX_PER_TURN", 2)
    for n in range(5):
        set_timer(rows, PAST + n, f"t#{n}")

    assert [len(look(watch, 0)) for _ in range(4)] == [2, 2, 1, 0]


async def test_timers_are_looked_up_at_most_once_per_interval(rows: MemoryRows) -> None:
    watch = Timers("test.events", lambda _partition: rows, Metrics())
    look(watch, 0)
    set_timer(rows, PAST)

    assert look(watch, 0) == []
