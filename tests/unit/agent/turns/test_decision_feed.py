"""The agent publishes decisions on the feed."""

from __future__ import annotations

import json

from tests.support.listed_queues import ListedQueues
from tests.support.records import PARTITIONS, fire, record

from triggers.agent.turns.agent import Agent
from triggers.agent.turns.decision_feed import DecisionFeed
from triggers.agent.turns.overlay import Overlays
from triggers.agent.turns.partition_turn import TurnContext
from triggers.agent.turns.session_cache import SessionCache
from triggers.agent.turns.size_limits import size_of_output
from triggers.agent.turns.timers import Timers
from triggers.codec import EventDecoder, decode_decision
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.kafka.installed_topics import InstalledTopics
from triggers.kafka.records import Record
from triggers.store.batch import Batch, Output
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology

NAMES = Topology("test")
RULES = {"t_a": {"after": ["go"], "run": "app.a"}, "$manager": "audit"}


def decide(*records: Record, feed: bool = True, largest: int = 10_000) -> Batch:
    """Decides a batch without committing it."""
    rows = {p: MemoryRows() for p in range(PARTITIONS)}
    topics = (NAMES.events, NAMES.dead_letters, NAMES.changelog, NAMES.commands)
    limits = dict.fromkeys(topics, 10_000) | {NAMES.decisions: largest}
    rules = TurnContext(
        names=NAMES,
        topics=InstalledTopics(PARTITIONS, "id", 86_400, limits),
        decoder=EventDecoder(5_000, None),
        plans=Plans(),
        cache=SessionCache(100),
        rows=Overlays(rows.__getitem__),
        metrics=Metrics(),
        queues=ListedQueues(),
        feed=DecisionFeed(NAMES.decisions) if feed else None,
    )
    agent = Agent(rules, Timers(NAMES.events, rows.__getitem__, Metrics()), Metrics())
    batch = Batch({records[0].partition() or 0: list(records)}, frozenset(rows))
    agent.process(batch)
    return batch


def to(topic: str, batch: Batch) -> list[Output]:
    return [output for output in batch.outputs if output.topic == topic]


def configure() -> Record:
    return record(json.dumps({"configuration": RULES}).encode())


def with_id(offset: int) -> Record:
    return record(b'{"trigger": "go", "id": "once"}', offset=offset)


async def test_every_applied_event_publishes_one_decision_in_order() -> None:
    batch = decide(configure(), fire("go", offset=1), fire("nobody", offset=2))

    found = [decode_decision(output.value) for output in to(NAMES.decisions, batch)]
    assert [(d.offset, d.kind, d.outcome, d.manager) for d in found] == [
        (0, "configure", "applied", "audit"),
        (1, "fire", "applied", "audit"),
        (2, "fire", "unused", "audit"),
    ]
    assert {output.key for output in to(NAMES.decisions, batch)} == {b"s1"}


async def test_a_duplicate_a_stale_result_and_a_dead_letter_publish_no_decision() -> None:
    stale = record(b'{"type": "finished", "instance": "t_a#0", "attempt": 7}', offset=3)

    batch = decide(configure(), with_id(1), with_id(2), stale, record(b"{", offset=4))

    assert [decode_decision(o.value).offset for o in to(NAMES.decisions, batch)] == [0, 1]
    assert len(to(NAMES.dead_letters, batch)) == 1


async def test_without_the_feed_nothing_is_published() -> None:
    assert to(NAMES.decisions, decide(configure(), fire("go", offset=1), feed=False)) == []


async def test_nobody_waits_for_a_batch_that_only_publishes_decisions() -> None:
    assert not decide(configure(), fire("nobody", offset=1)).is_awaited
    assert decide(configure(), fire("go", offset=1)).is_awaited


async def test_an_event_whose_decision_would_be_too_large_is_left_out_with_its_commands() -> None:
    sizes = [size_of_output(output) for output in to(NAMES.decisions, decide(configure(), fire("go", offset=1)))]
    assert sizes == sorted(sizes)

    batch = decide(configure(), fire("go", offset=1), largest=sizes[1] - 1)

    assert [decode_decision(o.value).offset for o in to(NAMES.decisions, batch)] == [0]
    assert to(NAMES.commands, batch) == []
    assert len(to(NAMES.dead_letters, batch)) == 1
