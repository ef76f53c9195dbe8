"""What a campaign leaves behind, gathered for the oracle: what producers were told, the owners' files, the query API.

Events, commands and rows stay on their topics until a partition is judged: three million of them fit into no memory.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition
from tests.chaos.producers import Place, Published
from tests.chaos.tally import Tally
from tests.chaos.world import World
from tests.support.offsets import fetch_committed
from tests.support.partition_files import reached_by, rows_of_partition
from tests.support.topic_reader import read_topic, stream_topic

from triggers.client.session_reader import SessionReader
from triggers.codec import decode_dead_letter
from triggers.errors import SessionNotFound, TryAgain
from triggers.processing.partition_rows import StorageFailed
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

_READERS = 4
_REBUILDS = 8
"""Corrupt files that a campaign may leave behind unread."""

Rows = dict[int, dict[bytes, bytes]]
"""Partition -> its rows."""
Tallies = Mapping[tuple[str, int], Tally]
"""Topic and partition -> what another reader has seen there."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Everything that the oracle judges of one partition. It goes to another process."""

    settings: Settings
    partition: int
    is_drained: bool
    """Whether everything was done before the agents were stopped."""
    done: int
    """The first event that the group has not committed."""
    executors_done: int
    """The first command that the executors' group has not committed."""
    acknowledged: Sequence[tuple[array[int], array[int]]]
    """Of each producer, offsets and checksums of what it was told is safe."""
    unplaced: Counter[int]
    """Checksums of what is safe at places that no producer was told."""
    garbage: frozenset[int]
    misplaced: frozenset[int]
    letters: Counter[int]
    """Offset of an event -> how many dead letters there are of it."""
    rows: Mapping[bytes, bytes] | None
    """From the RocksDB of the owner; None: nobody owned it."""
    views: Mapping[str, bytes]
    """Session -> what the query API answers, as JSON; empty: it is not there."""
    executed: frozenset[str]
    """Ids of tasks that were executed."""
    tallies: Mapping[str, Tally]
    """Topic -> what another reader has seen of this partition."""

    def is_due(self, offset: int) -> bool:
        """Whether what follows from the event there can be asked for: of everything, unless the campaign was cut."""
        return self.is_drained or offset < self.done

    def events(self) -> Iterator[Message]:
        """From the topic, in order."""
        return stream_topic(self.settings, Topology(self.settings.namespace).events, self.partition)

    def commands(self) -> Iterator[Message]:
        """From the topic, in order."""
        return stream_topic(self.settings, Topology(self.settings.namespace).commands, self.partition)

    def changelog(self) -> Iterator[Message]:
        """From the topic, in order."""
        return stream_topic(self.settings, Topology(self.settings.namespace).changelog, self.partition)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that the oracle judges."""

    settings: Settings
    published: Sequence[Published]
    is_drained: bool
    done: Mapping[int, int]
    """Partition -> the first event that the agents' group has not committed."""
    executors_done: Mapping[int, int]
    letters: Counter[Place]
    """Where an event was -> how many dead letters there are of it."""
    files: Rows
    """From the RocksDB of each partition's owner."""
    views: Mapping[str, bytes]
    executions: Counter[str]
    """Task id -> how often it was executed."""
    tallies: Tallies

    def parts(self) -> list[Part]:
        """By partition: whatever belongs to a session is on its partition."""
        views, executed = self._by_partition(self.views), self._by_partition(self.executions, _session_of)
        return [self._part(p, views[p], frozenset(executed[p])) for p in range(self.settings.partitions)]

    def _part(self, partition: int, uids: Sequence[str], executed: frozenset[str]) -> Part:
        return Part(
            settings=self.settings,
            partition=partition,
            is_drained=self.is_drained,
            done=self.done[partition],
            executors_done=self.executors_done[partition],
            acknowledged=[one.on(partition) for one in self.published],
            unplaced=Counter(mark for one in self.published for p, mark in one.unplaced if p == partition),
            garbage=frozenset(offset for one in self.published for p, offset in one.garbage if p == partition),
            misplaced=frozenset(offset for one in self.published for p, offset in one.misplaced if p == partition),
            letters=Counter({offset: n for (p, offset), n in self.letters.items() if p == partition}),
            rows=self.files.get(partition),
            views={uid: self.views[uid] for uid in uids},
            executed=executed,
            tallies={topic: tally for (topic, p), tally in self.tallies.items() if p == partition},
        )

    def _by_partition(self, names: Mapping[str, object], uid_of: Callable[[str], str] = str) -> list[list[str]]:
        parts: list[list[str]] = [[] for _ in range(self.settings.partitions)]
        for name in names:
            parts[partition_of(uid_of(name).encode(), len(parts))].append(name)
        return parts


def gather(world: World, *, is_drained: bool, tallies: Tallies | None = None) -> Evidence:
    """Ask everybody, stop the agents, read everything that is small."""
    settings, names = world.settings, Topology(world.settings.namespace)
    views = _views(settings, _sessions(settings)) if is_drained else {}
    return Evidence(
        settings=settings,
        is_drained=is_drained,
        files=_files(world),
        done=_done(settings, names.agents, names.events),
        executors_done=_done(settings, names.executors, names.commands),
        published=[producer.published for producer in world.producers],
        letters=_letters(settings),
        views=views,
        executions=Counter(world.executions_file.read_text().splitlines()),
        tallies=tallies or {},
    )


def _session_of(task_id: str) -> str:
    return task_id.rsplit("/", 2)[0]


def _sessions(settings: Settings) -> list[str]:
    events = stream_topic(settings, Topology(settings.namespace).events)
    return sorted({(message.key() or b"").decode() for message in events})


def _letters(settings: Settings) -> Counter[Place]:
    letters = map(
        decode_dead_letter, (m.value() for m in read_topic(settings, Topology(settings.namespace).dead_letters))
    )
    return Counter((letter.partition, letter.offset) for letter in letters)


def _done(settings: Settings, group: str, topic: str) -> dict[int, int]:
    asking = Consumer({"bootstrap.servers": settings.brokers, "group.id": group, "enable.auto.commit": False})
    try:
        places = [TopicPartition(topic, partition) for partition in range(settings.partitions)]
        return {place.partition: max(place.offset, 0) for place in fetch_committed(asking, places)}
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
