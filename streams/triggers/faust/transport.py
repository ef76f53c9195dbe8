"""Faust's transport, ours: Faust is told of rebalances and drives tables and recovery; records take the pump's way.

What Faust would do with offsets, seeks and fetches is answered with nothing here: offsets live in the transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, ClassVar, cast

import faust
import structlog
from faust.channels import Channel
from faust.transport import base
from faust.transport.consumer import Consumer, Fetcher
from faust.transport.producer import Producer
from faust.types import TP, EventT
from faust.types.tuples import ConsumerMessage
from mode import Service
from mode.utils.queues import FlowControlEvent, ThrowableQueue
from yarl import URL

from triggers.agent.batch import Batch
from triggers.commit.ownership import Ownership
from triggers.commit.pump import Pump
from triggers.process.exits import crash_only
from triggers.topology import Topology

log = structlog.get_logger(__name__)


class AgentConsumer(Consumer):
    """Faust's consumer: runs the pump and passes rebalances on, in both directions."""

    def __init__(self, transport: AgentTransport, **kwargs: Any) -> None:  # noqa: ANN401  # Faust's, passed on
        super().__init__(transport, **kwargs)
        self._names = transport.names
        self._ownership = transport.ownership
        self._on_lost = transport.on_lost
        self._new_pump = transport.new_pump
        self._subscribed = asyncio.Event()
        self._pump: Pump | None = None

    async def subscribe(self, topics: Iterable[str]) -> None:  # noqa: ARG002  # ours are fixed
        """See `Consumer`: Faust's agents and tables are ready."""
        self._subscribed.set()

    @Service.task
    async def _run_pump(self) -> None:
        await self._subscribed.wait()
        with crash_only():
            self._pump = await self._new_pump(self)
            await self._pump.run()

    async def stop_pump(self) -> None:
        """Finish what is in flight and leave the group, before Faust closes the tables."""
        if self._pump is not None:
            await self._pump.stop()

    def on_gained(self, partitions: frozenset[int]) -> None:
        """See `Rebalances`."""
        kept = self._ownership.owned - partitions
        log.info("assignment", gained=sorted(partitions), kept=sorted(kept))
        self._run_on_loop(self._notify_gained())

    def on_lost(self, partitions: frozenset[int]) -> None:
        """See `Rebalances`."""
        log.info("assignment", lost=sorted(partitions), kept=sorted(self._ownership.owned))
        self._run_on_loop(self._notify_lost(partitions))

    async def _notify_gained(self) -> None:
        self.app.on_rebalance_start()
        await self.on_partitions_assigned(self.assignment(), 0)

    async def _notify_lost(self, partitions: frozenset[int]) -> None:
        self._on_lost(partitions)
        await self.on_partitions_revoked(self._with_changelog(partitions))

    def _run_on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def assignment(self) -> set[TP]:
        """See `Consumer`: the events' partitions, and with each the changelog's partition of the same number."""
        return self._with_changelog(self._ownership.owned)

    def _with_changelog(self, partitions: frozenset[int]) -> set[TP]:
        return {TP(topic, p) for p in partitions for topic in (self._names.events, self._names.changelog)}

    # Faust's own way of records and offsets: not ours

    async def commit(self, *_: object, **__: object) -> bool:
        """See `Consumer`."""
        return True

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:  # noqa: ARG002
        return True

    @Service.task
    async def _commit_handler(self) -> None:
        """See `Consumer`, whose own wakes up to commit."""

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        """See `Consumer`."""

    async def wait_empty(self) -> None:
        """See `Consumer`: nothing is being decided or committed when a rebalance runs."""

    async def perform_seek(self) -> None:
        """See `Consumer`."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """See `Consumer`."""
        return {}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """See `Consumer`."""

    async def _seek(self, partition: TP, offset: int) -> None:
        """See `Consumer`."""

    async def position(self, tp: TP) -> int | None:  # noqa: ARG002
        """See `Consumer`."""
        return None

    def highwater(self, tp: TP) -> int:  # noqa: ARG002
        """See `Consumer`."""
        return 0

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """See `Consumer`."""
        return dict.fromkeys(partitions, 0)

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """See `Consumer`."""
        return dict.fromkeys(partitions, 0)

    async def create_topic(self, *_: object, **__: object) -> None:
        """See `Consumer`: `triggers topics create` makes them."""

    def topic_partitions(self, topic: str) -> int | None:  # noqa: ARG002
        """See `Consumer`."""
        return None

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:  # noqa: ARG002
        """See `Consumer`."""
        return partition

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ARG002, ASYNC109
        return {}

    def _to_message(self, tp: TP, record: object) -> ConsumerMessage:
        raise NotImplementedError

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)


class BatchChannel(Channel[Batch]):
    """The way to the agent. Faust's flow control would hold it up while *other* partitions recover."""

    async def put_batch(self, batch: Batch) -> None:
        """Returns when the agent can take it."""
        await self.put(cast("EventT[Batch]", batch))  # Faust passes on whatever it is given

    @property
    def queue(self) -> ThrowableQueue[Batch]:
        """See `Channel`."""
        if self._queue is None:
            always = FlowControlEvent(initially_suspended=False)
            self._queue = ThrowableQueue(maxsize=self.maxsize, flow_control=always)
        return self._queue


class NoFetcher(Fetcher):
    """Faust starts it after a recovery; the pump fetches."""

    @Service.task
    async def _fetcher(self) -> None:
        """See `Fetcher`."""


class NoProducer(Producer):
    """Faust's producer; it never connects anywhere. Whatever is produced is part of a transaction."""

    async def create_topic(self, *_: object, **__: object) -> None:
        """See `Producer`."""


class AgentTransport(base.Transport):
    """Makes the app's consumer."""

    Consumer = AgentConsumer
    Producer = NoProducer
    Fetcher = NoFetcher
    driver_version = "transactional confluent-kafka"
    default_port: ClassVar[int] = 9092

    def __init__(
        self,
        app: faust.App,
        *,
        names: Topology,
        ownership: Ownership,
        new_pump: Callable[[AgentConsumer], Coroutine[Any, Any, Pump]],
        on_lost: Callable[[frozenset[int]], None],
    ) -> None:
        super().__init__([URL("kafka://")], app)
        self.names = names
        self.ownership = ownership
        self.new_pump = new_pump
        self.on_lost = on_lost
