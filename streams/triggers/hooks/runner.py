"""Hooks on Kafka: runs a manager's `_post_fire`, `_post_replay` and `_post_skip` for every decision of the feed.

A hook reads its session with the decision applied, and with everything that earlier hooks wrote. It runs at least once.
What it writes to its own session through its manager is applied once, even if the hook runs again.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from msgspec import structs
from typing_extensions import override

from triggers.client import Coordinates, KafkaPublisher, SessionReader
from triggers.codec import DecisionRecord, encode_event
from triggers.core.events import Event
from triggers.core.view import SessionView
from triggers.hooks.decision_consumer import DecisionConsumer
from triggers.hooks.hook_metrics import HookMetrics
from triggers.kafka.range_reads import watermarks
from triggers.manager import TriggerManager
from triggers.settings import Settings
from triggers.storages.stream import EventPublisher, SessionSource, StreamStorage
from triggers.telemetry.exposition import serve_metrics
from triggers.topology import Topology

_SKIP: Final = "skip"
_DIGEST_BYTES: Final = 12


MakeManager = Callable[[str, StreamStorage], TriggerManager]
"""Creates a session's manager. Its arguments are the manager's key in the configuration, or "", and the storage."""


class HookRunner:
    """Reads the decision feed and runs the hooks of each decision. Not thread-safe."""

    def __init__(self, settings: Settings, make_manager: MakeManager, group: str = "hooks") -> None:
        """`group` is the consumer group. Every group runs the hooks of every decision."""
        self._metrics = HookMetrics()
        self._settings = settings
        self._make_manager = make_manager
        self._group = group
        publisher, reader = KafkaPublisher(settings, source=group), SessionReader(settings)
        self._storages = HookStorages(settings, group, publisher, reader, self._last_event)

    def run(self, stopping: threading.Event) -> None:
        """Runs hooks until `stopping` is set. Blocks. Raises KafkaException for errors that are not transient."""
        if self._settings.metrics_port:
            serve_metrics(self._settings, self._metrics.registry)
        forget = self._storages.forget_offsets
        DecisionConsumer(self._settings, self.handle, group=self._group, on_assigned=forget, metrics=self._metrics).run(
            stopping
        )

    def handle(self, record: DecisionRecord) -> None:
        """Runs the hooks of one decision. Raises what they raise, and TryAgain if the session cannot be read."""
        manager = self._make_manager(record.manager, self._storages.storage_for(record))
        for fire in record.fires:
            manager.after_fire(fire.trigger, fire.scheduled)
        if record.replay is not None:
            manager.after_replay(record.instance, record.replay)
        if record.kind == _SKIP:
            manager.after_skip(record.instance, record.cascade)

    def _last_event(self, partition: int) -> int:
        topic = Topology(self._settings.namespace).events
        _, end = watermarks(self._settings, topic, [partition])[partition]
        return end - 1


class HookStorages:
    """Creates the storages of the managers that run hooks.

    Such a storage reads a session that includes the decision and the writes of earlier hooks, and its own writes are
    idempotent.
    """

    def __init__(
        self,
        settings: Settings,
        group: str,
        publisher: EventPublisher,
        source: SessionSource,
        last_event: Callable[[int], int],
    ) -> None:
        """`last_event` returns the offset of the last event of a partition."""
        self._settings = settings
        self._group = group
        self._publisher = publisher
        self._source = source
        self._last_event = last_event
        self._reached: dict[int, int] = {}
        """Offset that every read of a session must include, by partition of the events topic."""

    def storage_for(self, record: DecisionRecord) -> StreamStorage:
        """Returns a storage for the session of the decision."""
        reached = self._include_decision(record)
        publisher = _RepeatablePublisher(self._publisher, self._group, record, reached)
        current = _CurrentSource(self._source, reached)
        return StreamStorage(record.session, self._settings, publisher=publisher, source=current)

    def forget_offsets(self) -> None:
        """Forgets how far each partition must be read; called after a rebalance.

        Another member of the group may have run hooks meanwhile, and reads must include what they wrote.
        """
        self._reached.clear()

    def _include_decision(self, record: DecisionRecord) -> _ReachedOffset:
        if record.partition not in self._reached:
            self._reached[record.partition] = self._last_event(record.partition)
        reached = _ReachedOffset(self._reached, record.partition)
        reached.include(Coordinates(record.partition, record.offset))
        return reached


class _ReachedOffset:
    """The offset up to which the events of one partition must be applied before a session is read."""

    def __init__(self, offsets: dict[int, int], partition: int) -> None:
        self._offsets = offsets
        self._partition = partition

    @property
    def coordinates(self) -> Coordinates:
        return Coordinates(self._partition, self._offsets.get(self._partition, 0))

    def include(self, written: Coordinates) -> None:
        if written.partition == self._partition:
            self._offsets[self._partition] = max(written.offset, self.coordinates.offset)


class _CurrentSource(SessionSource):
    """Reads sessions that include the decision and everything that hooks have written to its partition."""

    def __init__(self, reader: SessionSource, reached: _ReachedOffset) -> None:
        self._reader = reader
        self._reached = reached

    @override
    def read(self, uid: str, after: Coordinates | None = None) -> SessionView:
        """Ignores `after`, because `_reached` includes everything that the hooks have written."""
        return self._reader.read(uid, self._reached.coordinates)


class _RepeatablePublisher(EventPublisher):
    """Publishes the events of a hook with ids that are the same if the hook runs again."""

    def __init__(self, publisher: EventPublisher, group: str, record: DecisionRecord, reached: _ReachedOffset) -> None:
        self._publisher = publisher
        self._cause = f"{group}/{record.partition}/{record.offset}"
        self._reached = reached
        self._written: Counter[str] = Counter()

    @override
    def publish(self, uid: str, event: Event) -> Coordinates:
        written = self._publisher.publish(uid, event if event.id else structs.replace(event, id=self._id_of(event)))
        self._reached.include(written)
        return written

    def _id_of(self, event: Event) -> str:
        """Derives the id from the content, because a second run may read another state and write other events."""
        digest = blake2b(encode_event(event), digest_size=_DIGEST_BYTES).hexdigest()
        self._written[digest] += 1
        return f"{self._cause}/{digest}/{self._written[digest]}"
