from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME
from tests.support.records import record
from tests.support.scraped import parse, value_of

from triggers.agent.turns import timers
from triggers.agent.turns.timers import Timers
from triggers.codec import EventDecoder
from triggers.core.commands import SetTimer
from triggers.core.events import TimerFired
from triggers.core.state.rows import NEVER, TIMER_ROW, MemoryRows, first_due_among, timer_key
from triggers.kafka.records import LOG_APPEND_TIME, Record
from triggers.store.batch import Batch, Output
from triggers.telemetry.metrics import Metrics

PAST, FUTURE = 1_000, 2**62


class CountedRows(MemoryRows):
    """Rows that count how often they are scanned."""

    scans = 0

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        self.scans += 1
        return super().scan(prefix, start)


@pytest.fixture
def rows() -> MemoryRows:
    return MemoryRows()


@pytest.fixture
def watch(rows: MemoryRows, monkeypatch: pytest.MonkeyPatch) -> Timers:
    monkeypatch.setattr(timers, "_INTERVAL_S", 0)
    return Timers("test.events", lambda _partition: rows, Metrics())


@pytest.fixture
def passed_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A list whose only item is what `time.monotonic` returns to the timers."""
    now = [100.0]
    monkeypatch.setattr(timers, "time", SimpleNamespace(monotonic=lambda: now[0], time_ns=time.time_ns))
    return now


def look(watch: Timers, *ready: int, read: list[Record] | None = None) -> list[Output]:
    return watch.publish_due(Batch({0: read} if read else {}, frozenset(ready)))


def appended(at: int) -> Record:
    """Returns a record that the broker appended at that time."""
    return record(time=at, time_kind=TIMESTAMP_LOG_APPEND_TIME)


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


async def test_a_timer_whose_event_came_too_early_is_published_again_when_it_is_due_for_the_broker(
    rows: MemoryRows, watch: Timers, passed_s: list[float]
) -> None:
    set_timer(rows, PAST, kind="delay")
    assert len(look(watch, 0)) == 1

    watch.postpone(0, SetTimer(session="s1", instance="t#0", attempt=2, due=PAST, kind="delay"), 1_500)
    assert look(watch, 0) == []
    passed_s[0] += 1.4
    assert look(watch, 0) == []
    passed_s[0] += 0.2
    assert len(look(watch, 0)) == 1
    assert look(watch, 0) == []


async def test_a_worker_whose_clock_is_behind_learns_from_records_which_timers_are_due(
    rows: MemoryRows, watch: Timers, passed_s: list[float]
) -> None:
    ahead = time.time_ns() // 1_000_000 + 3_600_000
    set_timer(rows, ahead + 1_500)

    assert look(watch, 0, read=[appended(ahead)]) == []
    passed_s[0] += 1.4
    assert look(watch, 0, read=[appended(ahead - 60_000)]) == []  # a record of another partition, which is read later
    passed_s[0] += 0.2
    assert len(look(watch, 0)) == 1


async def test_the_timestamp_of_a_producer_makes_no_timer_due(rows: MemoryRows, watch: Timers) -> None:
    ahead = time.time_ns() // 1_000_000 + 3_600_000
    set_timer(rows, ahead)

    assert look(watch, 0, read=[record(time=ahead, time_kind=TIMESTAMP_CREATE_TIME)]) == []
    assert TIMESTAMP_LOG_APPEND_TIME == LOG_APPEND_TIME


async def test_due_timers_and_the_delay_of_the_oldest_are_gauges(
    rows: MemoryRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "_INTERVAL_S", 0)
    metrics = Metrics()
    watch = Timers("test.events", lambda partition: rows if partition == 3 else MemoryRows(), metrics)
    now = time.time_ns() // 1_000_000
    for number, age_ms in enumerate((90_000, 5_000, -60_000)):
        set_timer(rows, now - age_ms, f"t#{number}")

    look(watch, 2, 3)
    before = parse(metrics.text().decode())
    rows.clear()
    look(watch, 2, 3)
    after = parse(metrics.text().decode())

    assert value_of(before, "triggers_due_timers") == 2
    assert 90 <= value_of(before, "triggers_timer_delay_seconds") < 150
    assert (value_of(after, "triggers_due_timers"), value_of(after, "triggers_timer_delay_seconds")) == (0, 0)


async def test_after_an_abort_only_timers_of_batches_in_flight_are_published_again(
    rows: MemoryRows, watch: Timers
) -> None:
    set_timer(rows, PAST, "t#0")
    look(watch, 0)
    set_timer(rows, PAST, "t#1")
    look(watch, 0)
    set_timer(rows, PAST, "t#2")
    look(watch, 0)  # the batch of the first one is committed by now

    watch.forget()

    assert len(look(watch, 0)) == 2
    assert look(watch, 0) == []


async def test_rows_are_read_again_only_when_a_timer_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, now = CountedRows(), time.time_ns() // 1_000_000
    monkeypatch.setattr(timers, "_INTERVAL_S", 0)
    watch = Timers("test.events", lambda _partition: rows, Metrics())
    set_timer(rows, now + 3_600_000, "t#0")
    look(watch, 0)
    before = rows.scans

    assert look(watch, 0) == []
    assert rows.scans == before
    assert len(look(watch, 0, read=[appended(now + 3_600_000)])) == 1


async def test_a_timer_that_a_batch_sets_is_published(rows: MemoryRows, watch: Timers) -> None:
    assert look(watch, 0) == []
    set_timer(rows, PAST)

    watch.expect({0: first_due_among({timer_key(PAST, "s1", "t#0", 2): TIMER_ROW})})

    assert len(look(watch, 0)) == 1


async def test_a_timer_that_an_aborted_batch_had_unset_is_published(rows: MemoryRows, watch: Timers) -> None:
    assert look(watch, 0) == []  # as if the decided batch had unset it
    set_timer(rows, PAST)

    watch.forget()

    assert len(look(watch, 0)) == 1


def test_the_earliest_timer_among_changes_is_one_that_they_set() -> None:
    rows = MemoryRows()
    set_timer(rows, 7)
    set_timer(rows, 5, "t#1")
    unset = timer_key(3, "s1", "t#2", 1)

    assert first_due_among({b"s1": b"x", unset: None, **rows}) == 5
    assert first_due_among({unset: None, b"s1": b"x"}) == NEVER
