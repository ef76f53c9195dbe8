"""What a campaign leaves behind, gathered for the oracle: topics, the owners' files, the query API, executions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
from confluent_kafka import Message
from tests.chaos.producers import Published
from tests.chaos.world import World
from tests.support.partition_files import rows_of_partition
from tests.support.topic_reader import read_topic

from triggers.client.session_reader import SessionReader
from triggers.errors import SessionNotFound, TryAgain
from triggers.settings import Settings
from triggers.topology import Topology

_READERS = 4
_NOBODY = b"not asked: somebody is not ready"

Rows = dict[int, dict[bytes, bytes]]
"""Partition -> its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the oracle judges."""

    settings: Settings
    published: Sequence[Published]
    events: Sequence[Message]
    commands: Sequence[Message]
    changelog: Sequence[Message]
    dead_letters: Sequence[Message]
    files: Rows
    """From the RocksDB of each partition's owner."""
    views: dict[str, bytes]
    """Session -> what the query API answers, as JSON; empty: it is not there."""
    executions: Counter[str]
    """Task id -> how often it was executed."""


def gather(world: World) -> Evidence:
    """Ask everybody, stop the agents, read everything."""
    settings, names = world.settings, Topology(world.settings.namespace)
    events = read_topic(settings, names.events)
    sessions = sorted({(message.key() or b"").decode() for message in events})
    views = _views(settings, sessions) if world.is_complete() else dict.fromkeys(sessions, _NOBODY)
    return Evidence(
        settings=settings,
        published=[producer.published for producer in world.producers],
        events=events,
        commands=read_topic(settings, names.commands),
        changelog=read_topic(settings, names.changelog),
        dead_letters=read_topic(settings, names.dead_letters),
        files=_files(world),
        views=views,
        executions=Counter(world.executions_file.read_text().splitlines()),
    )


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
    owned = [(agent.folder, agent.partitions() or []) for agent in world.agents]
    for agent in world.agents:
        agent.stop()
    return {partition: rows_of_partition(folder, partition) for folder, partitions in owned for partition in partitions}
