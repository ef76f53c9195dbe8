from __future__ import annotations

from random import Random

import pytest
from tests.support.indexed_rows import IndexedRows
from tests.support.listed_queues import ListedQueues
from tests.support.records import record

from triggers.agent.turns import index_reach
from triggers.agent.turns.agent import Agent
from triggers.agent.turns.index_reach import IndexReach
from triggers.agent.turns.overlay import Overlays
from triggers.agent.turns.partition_index import MAX_STATUSES
from triggers.agent.turns.partition_turn import TurnContext
from triggers.agent.turns.session_cache import SessionCache
from triggers.agent.turns.timers import Timers
from triggers.codec import EventDecoder
from triggers.core.events import (
    DeletionRequested,
    Event,
    ReplayRequested,
    SkipRequested,
    StatusSet,
    TaskFailed,
    TaskFinished,
    TimerFired,
    TriggerFired,
)
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.errors import CallError, NotFound
from triggers.kafka.installed_topics import InstalledTopics
from triggers.queries.index_rows import COUNTS, OTHERS, REACH, Reach, decode_reach, encode_row, read_counts
from triggers.store.batch import Batch
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology

RULES = {
    "t_a": {"after": [], "andEvery": "go", "run": "app.a"},
    "t_b": {"after": ["t_a", "more"], "unless": ["stop"], "run": "app.b"},
    "$limits": {"sessionTtl": 1_000_000},
}
NAMES = Topology("test")


def counts_of(rows: MemoryRows) -> dict[str, dict[str, int]]:
    return dict(read_counts(rows.scan(COUNTS)))


def live_a_life(partition: IndexedRows, seed: int) -> None:
    """Many events of a few sessions, of which some are refused."""
    chance = Random(seed)  # noqa: S311  # repeatable
    uids = [f"s{number}" for number in range(6)]
    for uid in uids:
        partition.configure(uid, RULES)
    for _ in range(150):
        name = f"t_{chance.choice('ab')}#{chance.randrange(4)}"
        events: list[Event] = [
            TriggerFired(trigger=chance.choice(["go", "more", "stop"])),
            TaskFailed(instance=name, exception_type="app.Broken", exception_message=chance.choice("xyz")),
            TaskFinished(instance=name),
            ReplayRequested(instance=name),
            SkipRequested(instance=name),
            StatusSet(instance=name, status=chance.choice(["failed", "on hold", "unstarted"]), force=True),
            TimerFired(instance="", attempt=0, due=partition.now),
        ]
        if chance.random() < 0.02:
            events = [DeletionRequested()]
        try:
            partition.apply(chance.choice(uids), chance.choice(events))
        except (CallError, NotFound):
            continue


@pytest.mark.parametrize("seed", range(8))
def test_the_index_that_events_keep_is_the_one_that_the_rows_of_instances_give(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_reach, "MAX_ROWS", 5)
    partition = IndexedRows()
    live_a_life(partition, seed)
    old = partition.without_index()

    reach = IndexReach(Overlays(lambda _: old))
    while changes := reach.extend(0, is_idle=True).changes:
        old.write(changes)

    assert {key: row for key, row in old.items() if key not in partition.without_index() and key != REACH} == (
        partition.index()
    )
    assert partition.index()
    assert decode_reach(old[REACH]).until is None


def test_statuses_that_an_application_invents_are_counted_together_beyond_a_limit() -> None:
    partition = IndexedRows()
    partition.configure("s", {"t_a": {"after": [], "andEvery": "go", "run": "app.a"}})
    for number in range(MAX_STATUSES + 3):
        partition.fire("s", "go")
        partition.apply("s", StatusSet(instance=f"t_a#{number}", status=f"status {number}", force=True))

    counts = counts_of(partition.rows)["t_a"]
    assert (len(counts), counts[OTHERS]) == (MAX_STATUSES, 4)
    assert sum(counts.values()) == MAX_STATUSES + 3

    for number in range(MAX_STATUSES + 3):
        partition.apply("s", StatusSet(instance=f"t_a#{number}", status="skipped", force=True))
    assert counts_of(partition.rows)["t_a"] == {"skipped": MAX_STATUSES + 3}


class Bench:
    """An agent over the rows of one partition."""

    def __init__(self, rows: MemoryRows) -> None:
        self.rows = rows
        self.metrics = Metrics()
        topics = (NAMES.events, NAMES.dead_letters, NAMES.changelog, NAMES.commands)
        context = TurnContext(
            names=NAMES,
            topics=InstalledTopics(1, "id", 86_400, dict.fromkeys(topics, 100_000)),
            decoder=EventDecoder(5_000, None),
            plans=Plans(),
            cache=SessionCache(100),
            rows=Overlays(lambda _: rows),
            metrics=self.metrics,
            queues=ListedQueues(),
        )
        self.agent = Agent(context, Timers(NAMES.events, context.rows.for_partition, self.metrics), self.metrics)
        self._offset = 100  # behind the events of the sessions that are stored already

    def commit(self, *values: tuple[str, bytes]) -> None:
        records = []
        for uid, value in values:
            records.append(record(value, uid.encode(), partition=0, offset=self._offset))
            self._offset += 1
        batch = Batch({0: records} if records else {}, frozenset({0}))
        self.agent.process(batch)
        self.rows.write(batch.rows.get(0, {}))
        self.agent.forget(frozenset())


async def test_sessions_of_an_earlier_release_are_counted_once_while_events_change_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_reach, "MAX_ROWS", 3)
    partition = IndexedRows()
    for number in range(9):
        partition.configure(f"s{number}", {"t_a": {"after": ["go"], "run": "app.a"}})
        partition.fire(f"s{number}", "go")
    bench = Bench(partition.without_index())

    bench.commit(("s8", b'{"type": "finished", "instance": "t_a#0"}'))
    assert 0 < counts_of(bench.rows)["t_a"]["scheduled"] < 8
    bench.commit(("s0", b'{"type": "failed", "instance": "t_a#0", "exception_type": "app.Broken"}'))
    bench.commit(("s4", b'{"type": "failed", "instance": "t_a#0", "exception_type": "app.Broken"}'))
    for _ in range(9):
        bench.commit()

    assert counts_of(bench.rows) == {"t_a": {"scheduled": 6, "failed": 2, "finished": 1}}
    assert decode_reach(bench.rows[REACH]).until is None
    text = bench.metrics.text().decode()
    assert 'triggers_failures_total{exception="app.Broken",task="t_a"} 2.0' in text


async def test_a_new_partition_begins_its_index_with_its_first_record() -> None:
    bench = Bench(MemoryRows())
    bench.commit()
    assert bench.rows == {}

    bench.commit(("s", b"no event"))
    assert bench.rows == {REACH: encode_row(Reach(until=None))}

    bench.commit(("s", b'{"configuration": {"t_a": {"after": ["go"], "run": "app.a"}}}'))
    assert counts_of(bench.rows) == {}

    bench.commit(("s", b'{"trigger": "go"}'))
    assert counts_of(bench.rows) == {"t_a": {"scheduled": 1}}
