"""What a campaign leaves behind, gathered for the oracle: topics, the owners' files, the query API, executions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition
from tests.chaos.producers import Published
from tests.chaos.world import World
from tests.support.fold_oracle import Coordinates
from tests.support.partition_files import reached_by, rows_of_partition
from tests.support.topic_reader import read_topic

from triggers.client.session_reader import SessionReader
from triggers.errors import SessionNotFound, TryAgain
from triggers.processing.partition_rows import StorageFailed
from triggers.settings import Settings
from triggers.topology import Topology

_READERS = 4
_REBUILDS = 8
"""Corrupt files that a campaign may leave behind unread."""

Rows = dict[int, dict[bytes, bytes]]
"""Partition -> its rows."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that the oracle judges."""

    settings: Settings
    published: Sequence[Published]
    is_drained: bool
    """Whether everything was done before the agents were stopped."""
    events: Sequence[Message]
    done: dict[int, int]
    """Partition -> the first event that is not processed."""
    commands: Sequence[Message]
    changelog: Sequence[Message]
    dead_letters: Sequence[Message]
    files: Rows
    """From the RocksDB of each partition's owner."""
    views: dict[str, bytes]
    """Session -> what the query API answers, as JSON; empty: it is not there."""
    executions: Counter[str]
    """Task id -> how often it was executed."""

    def is_done(self, place: Coordinates) -> bool:
        """Whether the event there was processed: only what follows from such events can be asked for."""
        return place[1] < self.done.get(place[0], 0)

    @cached_property
    def processed(self) -> list[Message]:
        """The events that were processed."""
        return [m for m in self.events if self.is_done((m.partition() or 0, m.offset() or 0))]


def gather(world: World, *, is_drained: bool) -> Evidence:
    """Ask everybody, stop the agents, read everything."""
    settings, names = world.settings, Topology(world.settings.namespace)
    views = _views(settings, _sessions(settings)) if is_drained else {}
    files = _files(world)
    events = read_topic(settings, names.events)
    return Evidence(
        settings=settings,
        is_drained=is_drained,
        done=_done(settings),
        published=[producer.published for producer in world.producers],
        events=events,
        commands=read_topic(settings, names.commands),
        changelog=read_topic(settings, names.changelog),
        dead_letters=read_topic(settings, names.dead_letters),
        files=files,
        views=views,
        executions=Counter(world.executions_file.read_text().splitlines()),
    )


def _sessions(settings: Settings) -> list[str]:
    events = read_topic(settings, Topology(settings.namespace).events)
    return sorted({(message.key() or b"").decode() for message in events})


def _done(settings: Settings) -> dict[int, int]:
    names = Topology(settings.namespace)
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents, "enable.auto.commit": False})
    try:
        places = [TopicPartition(names.events, partition) for partition in range(settings.partitions)]
        return {place.partition: max(place.offset, 0) for place in asking.committed(places, timeout=60)}
    finally:
        asking.close()


def _views(settings: Settings, sessions: Sequence[str]) -> dict[str, bytes]:
    reader = SessionReader(settings)

    def ask(uid: str) -> bytes:
        try:
            return msgspec.json.encode(reader.read(uid))
        except SessionNotFound:
            return b""
        except TryAgain as error:
            return str(error).encode()

    with ThreadPoolExecutor(_READERS) as readers:
        return dict(zip(sessions, readers.map(ask, sessions), strict=True))


def _files(world: World) -> Rows:
    """The owners' rows. Workers rebuild what they cannot read; what none has read yet is met, and rebuilt, here."""
    for _ in range(_REBUILDS):
        try:
            return _read_files(world)
        except StorageFailed as error:
            world.relay.write("chaos", f"corrupt, and not read until now: {error}")
            for agent in world.agents:
                agent.up()
            world.wait_until_ready()
    return _read_files(world)


def _read_files(world: World) -> Rows:
    """With work left, a worker that stops hands its partitions to another, which goes on: the latest file counts."""
    owned = [(agent.folder, agent.partitions() or []) for agent in world.agents]
    for agent in world.agents:
        agent.stop()
    return {
        partition: rows_of_partition(_latest([owner, *(folder for folder, _ in owned)], partition), partition)
        for owner, partitions in owned
        for partition in partitions
    }


def _latest(folders: Sequence[Path], partition: int) -> Path:
    """Whose file has got furthest; of several the first."""
    return max(folders, key=lambda folder: reached_by(folder, partition))
