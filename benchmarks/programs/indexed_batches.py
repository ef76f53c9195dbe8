"""Decides batches of whole questionnaires under callgrind, with or without the index: `indexed_batches with|without`.

Each batch has one event of each of 200 sessions of a partition, which is what an index costs most for: its rows are
written once a batch, and nothing is shared between the events of a session. Prints the number of events whose
instructions were counted. It runs the sources, because the compiled classes cannot be replaced.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import cast

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from benchmarks.workload import opening_events, page_events
from triggers.agent.turns import agent as agent_module
from triggers.agent.turns import partition_turn
from triggers.agent.turns.agent import Agent
from triggers.agent.turns.index_reach import IndexReach, IndexStart
from triggers.agent.turns.overlay import Overlays
from triggers.agent.turns.partition_index import IndexUpdate
from triggers.agent.turns.partition_turn import TurnContext
from triggers.agent.turns.session_cache import SessionCache
from triggers.agent.turns.timers import Timers
from triggers.codec import EventDecoder, encode_event
from triggers.core.events import Event, TaskFinished
from triggers.core.state.loaded_instance import StatusMove
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Changes, MemoryRows, Rows
from triggers.kafka.installed_topics import InstalledTopics
from triggers.kafka.records import Record
from triggers.store.batch import Batch
from triggers.telemetry.metrics import Metrics
from triggers.topology import Topology

SESSIONS = 200
PAGES = 5
_PARTITION = 0
_LARGEST = 4 << 20
_NAMES = Topology("bench")


class NoIndex(IndexUpdate):
    """An agent without the index."""

    def add(self, uid: str, moves: list[StatusMove]) -> None:
        pass

    def changes(self, rows: Rows, over: Changes) -> Changes:  # noqa: ARG002  # the method that it overrides
        return {}


class NoReach(IndexReach):
    """An agent without the row that says how far the index reaches."""

    def extend(self, partition: int, *, is_idle: bool) -> IndexStart:  # noqa: ARG002  # the method that it overrides
        return IndexStart({}, None)


class NoQueues:
    """Queues, of which there are none."""

    def find_limit(self, queue: str) -> int | None:  # noqa: ARG002  # a method of the protocol
        return None

    def forget(self) -> None:
        pass


def main(mode: str) -> None:
    """Plays a life of all sessions once, and another of others while callgrind counts."""
    if mode == "without":
        vars(partition_turn)["IndexUpdate"] = NoIndex
        vars(agent_module)["IndexReach"] = NoReach
    asyncio.run(_run())


async def _run() -> None:
    rows = MemoryRows()
    agent = _agent(rows)
    for batch in _lives(0):
        _decide(agent, rows, batch)
    counted = list(_lives(1))
    gc.collect()
    gc.disable()
    command = ["callgrind_control", "-i", "on", str(os.getpid())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: ASYNC221  # nothing else runs
    for batch in counted:
        _decide(agent, rows, batch)
    sys.stdout.write(f"{sum(map(len, counted))}\n")
    sys.stdout.flush()
    os._exit(0)  # what Python does at its end must not count


def _decide(agent: Agent, rows: MemoryRows, records: list[Record]) -> None:
    batch = Batch({_PARTITION: records}, frozenset({_PARTITION}))
    agent.process(batch)
    rows.write(batch.rows[_PARTITION])


def _agent(rows: MemoryRows) -> Agent:
    topics = (_NAMES.events, _NAMES.dead_letters, _NAMES.changelog, _NAMES.commands)
    metrics, overlays = Metrics(), Overlays({_PARTITION: rows}.__getitem__)
    context = TurnContext(
        names=_NAMES,
        topics=InstalledTopics(1, "id", 86_400, dict.fromkeys(topics, _LARGEST)),
        decoder=EventDecoder(_LARGEST),
        plans=Plans(),
        cache=SessionCache(2 * SESSIONS),
        rows=overlays,
        metrics=metrics,
        queues=NoQueues(),
    )
    return Agent(context, Timers(_NAMES.events, overlays.for_partition, metrics), metrics)


def _lives(wave: int) -> Iterator[list[Record]]:
    """Yields a batch for each event of a life."""
    events = list(_life())
    for number, event in enumerate(events):
        value, first = encode_event(event), (wave * len(events) + number) * SESSIONS
        keys = (b"questionnaire-%d-%06d" % (wave, session) for session in range(SESSIONS))
        yield [_record(key, value, first + session) for session, key in enumerate(keys)]


def _life() -> Sequence[Event]:
    pages = page_events()
    results = [TaskFinished(instance=f"t_importResponses#{page}", attempt=1) for page in range(PAGES)]
    answered = [event for page, result in enumerate(results) for event in (pages[page], result)]
    return [*opening_events(), *answered]


def _record(key: bytes, value: bytes, offset: int) -> Record:
    message = Message(
        topic=_NAMES.events,
        partition=_PARTITION,
        offset=offset,
        key=key,
        value=value,
        timestamp=(TIMESTAMP_LOG_APPEND_TIME, 1_760_000_000_000 + offset),
    )
    return cast("Record", message)


if __name__ == "__main__":
    main(sys.argv[1])
