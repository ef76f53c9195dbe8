"""A partition of a fault campaign whose topics are lists."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import msgspec
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message
from tests.chaos.evidence import Part
from tests.support.fold_oracle import Fold, fold

from triggers.core.state.plans import Plans
from triggers.core.state.session import Session
from triggers.core.view import view_session
from triggers.settings import Settings

SETTINGS = Settings(namespace="unit", partitions=1)


def event_record(offset: int, value: dict[str, object] | bytes, key: str | None = "s1", at: int = 1_000) -> Message:
    """Makes a record of the events, which the broker appended at that time."""
    return Message(
        topic="unit.events",
        key=None if key is None else key.encode(),
        value=value if isinstance(value, bytes) else json.dumps(value).encode(),
        timestamp=(TIMESTAMP_LOG_APPEND_TIME, at),
        offset=offset,
        partition=0,
    )


@dataclass(frozen=True, kw_only=True)
class PartInMemory(Part):
    """A partition whose topics are lists."""

    on_topic: Sequence[Message]
    applied: Sequence[Message]
    """The events that a worker has applied. The commands and rows are derived from them."""

    def events(self) -> Iterator[Message]:
        return iter(self.on_topic)

    def commands(self) -> Iterator[Message]:
        made = [(key, value) for key, values in fold_in_memory(self.applied).commands.items() for value in values]
        return (Message(topic="unit.commands", key=key, value=value, offset=n) for n, (key, value) in enumerate(made))

    def changelog(self) -> Iterator[Message]:
        rows = fold_in_memory(self.applied).rows[0]
        return (Message(topic="unit.sessions-changelog", key=key, value=row, partition=0) for key, row in rows.items())


def fold_in_memory(events: Sequence[Message]) -> Fold:
    """Folds the events of the partition."""
    return fold(events, 1, SETTINGS.max_payload_bytes)


def part_in_memory(
    on_topic: Sequence[Message], applied: Sequence[Message], acknowledged: Sequence[Message], now: int = 2_000
) -> PartInMemory:
    """Returns a drained partition. `acknowledged` are the events that were acknowledged to the producer."""
    offsets = array("q", [message.offset() or 0 for message in acknowledged])
    checksums = array("L", [crc32(message.value() or b"") for message in acknowledged])
    folded = fold_in_memory(applied)
    sessions = {key.decode(): Session(key.decode(), rows, Plans()) for key, rows in folded.sessions.items()}
    return PartInMemory(
        settings=SETTINGS,
        partition=0,
        is_drained=True,
        done=len(on_topic),
        executors_done=0,
        acknowledged=[(offsets, checksums)],
        unplaced=Counter(),
        garbage=frozenset(),
        refused=frozenset(),
        publications=(),
        now=now,
        misplaced=frozenset(),
        letters=Counter(),
        rows=dict(folded.rows[0]),
        views={uid: msgspec.json.encode(view_session(one)) for uid, one in sessions.items() if one.exists},
        executed=frozenset(),
        tallies={},
        on_topic=on_topic,
        applied=applied,
    )
