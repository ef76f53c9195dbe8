"""Gathers what a campaign has left for the oracle: acknowledgements, the owners' files and answers of the query API.

Events, commands and rows stay on their topics until a partition is judged, because they do not fit into memory.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition
from tests.chaos.producers import Coordinates, Published
from tests.chaos.tally import Tally
from tests.chaos.world import World
from tests.support.offsets import fetch_committed
from tests.support.partition_files import read_reached_offset, read_rows
from tests.support.topic_reader import read_topic, stream_topic

from triggers.client.session_reader import SessionReader
from triggers.codec import decode_dead_letter
from triggers.errors import SessionNotFound, TryAgain
from triggers.kafka.range_reads import read_range
from triggers.settings import Settings
from triggers.store.partition_rows import StorageFailed
from triggers.topology import Topology, partition_of

_READERS = 4
_REBUILDS = 8
"""Maximum number of corrupt files that no worker has read before the end of a campaign."""

Rows = dict[int, dict[bytes, bytes]]
"""Partition -> rows."""
Tallies = Mapping[tuple[str, int], Tally]
"""Topic and partition -> tally of another reader."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """All that the oracle needs to judge one partition. It is pickled for another process."""

    settings: Settings
    partition: int
    is_drained: bool
    """True if everything was done before the agents were stopped."""
    done: int
    """The agents' committed offset."""
    executors_done: int
    """The executors' committed offset."""
    acknowledged: Sequence[tuple[array[int], array[int]]]
    """Offsets and checksums of the records that each producer knows to be acknowledged."""
    unplaced: Counter[int]
    """Checksums of acknowledged records whose offsets no producer knows."""
    garbage: frozenset[int]
    """Offsets of records that must become dead letters."""
    refused: frozenset[int]
    """Checksums of well-formed events that must become dead letters."""
    publications: Sequence[tuple[str, int]]
    """Name and number of each published version of rules, in order."""
    now: int
    """Time after everything was done, in milliseconds."""
    misplaced: frozenset[int]
    letters: Counter[int]
    """Offset of an event -> number of its dead letters."""
    rows: Mapping[bytes, bytes] | None
    """Rows of the owner's RocksDB, or None if the partition had no owner."""
    views: Mapping[str, bytes]
    """Session -> the query API's answer as JSON, or nothing if the session was not found."""
    executed: frozenset[str]
    """Ids of the tasks that were executed."""
    tallies: Mapping[str, Tally]
    """Topic -> another reader's tally of this partition."""

    def is_due(self, offset: int) -> bool:
        """Returns whether the event at this offset must have been processed. If everything was done, it must."""
        return self.is_drained or offset < self.done

    def events(self) -> Iterator[Message]:
        """Yields the events of the topic, in order."""
        return stream_topic(self.settings, Topology(self.settings.namespace).events, self.partition)

    def commands(self) -> Iterator[Message]:
        """Yields the records of the commands topic, in order."""
        return stream_topic(self.settings, Topology(self.settings.namespace).commands, self.partition)

    def changelog(self) -> Iterator[Message]:
        """Yields the rows of the changelog topic, in order."""
        return stream_topic(self.settings, Topology(self.settings.namespace).changelog, self.partition)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that the oracle needs to judge a campaign."""

    settings: Settings
    published: Sequence[Published]
    is_drained: bool
    done: Mapping[int, int]
    """Partition -> the agents' committed offset."""
    executors_done: Mapping[int, int]
    letters: Counter[Coordinates]
    """Partition and offset of an event -> number of its dead letters."""
    files: Rows
    """Rows of each partition, from its owner's RocksDB."""
    views: Mapping[str, bytes]
    executions: Counter[str]
    """Task id -> number of executions."""
    tallies: Tallies
    publications: Sequence[tuple[str, int]] = ()
    """Name and number of each version on the topic of the rules, in order."""
    confirmed: Sequence[tuple[str, int]] = ()
    """Name and number of each version whose publication was confirmed, in order."""
    unpublished: Sequence[str] = ()
    """Publications that failed for another reason than the brokers'."""
    now: int = 0
    """Time after everything was done, in milliseconds."""

    def parts(self) -> list[Part]:
        """Splits the evidence by partition. Everything that belongs to a session is on its partition."""
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
            refused=frozenset(mark for one in self.published for mark in one.refused),
            publications=self.publications,
            now=self.now,
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
    """Queries the agents, stops them and reads their files."""
    settings, names = world.settings, Topology(world.settings.namespace)
    now, rules = time.time_ns() // 1_000_000, world.publications
    views = _views(settings, _sessions(settings)) if is_drained else {}
    return Evidence(
        settings=settings,
        is_drained=is_drained,
        files=_files(world),
        done=_committed_offsets(settings, names.agents, names.events),
        executors_done=_committed_offsets(settings, names.executors, names.commands),
        published=[producer.published for producer in world.producers],
        letters=_letters(settings),
        views=views,
        executions=Counter(world.executions_file.read_text().splitlines()),
        tallies=tallies or {},
        publications=rules.on_topic() if rules else (),
        confirmed=rules.published if rules else (),
        unpublished=rules.refused if rules else (),
        now=now,
    )


def _session_of(task_id: str) -> str:
    return task_id.rsplit("/", 2)[0]


def _sessions(settings: Settings) -> list[str]:
    events = stream_topic(settings, Topology(settings.namespace).events)
    return sorted({key.decode() for message in events if (key := message.key())})


def _letters(settings: Settings) -> Counter[Coordinates]:
    letters = map(
        decode_dead_letter, (m.value() for m in read_topic(settings, Topology(settings.namespace).dead_letters))
    )
    return Counter((letter.partition, letter.offset) for letter in letters)


def _committed_offsets(settings: Settings, group: str, topic: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": settings.brokers, "group.id": group, "enable.auto.commit": False})
    try:
        places = [TopicPartition(topic, partition) for partition in range(settings.partitions)]
        return {place.partition: max(place.offset, 0) for place in fetch_committed(consumer, places)}
    finally:
        consumer.close()


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


class _Behind(Exception):
    """A file lacks rows, because its worker met a corrupt file while it stopped, and ended without writing the rest."""


def _files(world: World) -> Rows:
    """Reads the owners' rows. If a file is corrupt and no worker has read it yet, lets the workers rebuild it."""
    for _ in range(_REBUILDS):
        files = _stop_and_find_files(world)
        try:
            _check_reach(world.settings, files)
            return {partition: read_rows(folder, partition) for partition, folder in files.items()}
        except (StorageFailed, _Behind) as error:
            world.relay.write("chaos", f"a corrupt file that no worker had read before the end: {error}")
            for agent in world.agents:
                agent.up()
            world.wait_until_ready()
    return {partition: read_rows(folder, partition) for partition, folder in _stop_and_find_files(world).items()}


def _stop_and_find_files(world: World) -> dict[int, Path]:
    """Stops the agents. Returns, for each partition, the folder with the file that has got furthest.

    If work is left, a worker that stops hands its partitions to another one, which continues."""
    owned = [(agent.folder, agent.partitions() or []) for agent in world.agents]
    for agent in world.agents:
        agent.stop()
    return {
        partition: _latest([owner, *(folder for folder, _ in owned)], partition)
        for owner, partitions in owned
        for partition in partitions
    }


def _check_reach(settings: Settings, files: Mapping[int, Path]) -> None:
    """Raises _Behind if the changelog has rows that a file lacks."""
    starts = {partition: read_reached_offset(folder, partition) + 1 for partition, folder in files.items()}
    row = next(read_range(settings, Topology(settings.namespace).changelog, starts), None)
    if row is not None:
        raise _Behind(f"the file of partition {row.partition()} ends before offset {row.offset()} of the changelog")


def _latest(folders: Sequence[Path], partition: int) -> Path:
    """Returns the first folder whose file of the partition has got furthest."""
    return max(folders, key=lambda folder: read_reached_offset(folder, partition))
