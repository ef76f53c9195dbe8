"""The worker's replacement for Faust's transport.

It runs the pump and forwards rebalances to Faust, which then recovers the table. Records bypass Faust's consumer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar, cast

import faust
import structlog
from faust.channels import Channel
from faust.transport import base
from faust.types import TP, EventT
from mode import Service
from mode.utils.queues import FlowControlEvent, ThrowableQueue
from typing_extensions import override
from yarl import URL

from triggers.agent.consumer.ownership import Ownership
from triggers.agent.consumer.pump import Pump
from triggers.agent.faust.inert import InertConsumer, NoFetcher, NoProducer
from triggers.process.exits import crash_only
from triggers.store.batch import Batch
from triggers.topology import Topology

log = structlog.get_logger(__name__)


class AgentConsumer(InertConsumer):
    """Faust's consumer: it runs the pump, and is the pump's `RebalanceListener`."""

    def __init__(self, transport: AgentTransport, **kwargs: Any) -> None:
        super().__init__(transport, **kwargs)
        self._names = transport.names
        self._ownership = transport.ownership
        self._on_lost = transport.on_lost
        self._new_pump = transport.new_pump
        self._subscribed = asyncio.Event()
        self._pump: Pump | None = None

    @override
    async def subscribe(self, topics: Iterable[str]) -> None:
        """Starts the pump. Faust calls this when its agents and tables are ready."""
        self._subscribed.set()

    @Service.task
    async def _run_pump(self) -> None:
        await self._subscribed.wait()
        with crash_only():
            self._pump = await self._new_pump(self)
            await self._pump.run()

    async def stop_pump(self) -> None:
        """Finishes the batches in flight and leaves the group. Must return before Faust closes the tables."""
        if self._pump is not None:
            await self._pump.stop()

    def on_gained(self, partitions: frozenset[int]) -> None:
        """Returns when Faust has started to recover the partitions. Called on the Kafka thread."""
        kept = self._ownership.owned - partitions
        log.info("assignment changed", gained=sorted(partitions), kept=sorted(kept))
        self._run_on_loop(self._notify_gained())

    def on_lost(self, partitions: frozenset[int]) -> None:
        """Returns when the partitions' files are closed and nothing writes to them. Called on the Kafka thread."""
        log.info("assignment changed", lost=sorted(partitions), kept=sorted(self._ownership.owned))
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
        """Returns the owned partitions of the events, and the changelog's partitions of the same numbers."""
        return self._with_changelog(self._ownership.owned)

    def _with_changelog(self, partitions: frozenset[int]) -> set[TP]:
        return {TP(topic, p) for p in partitions for topic in (self._names.events, self._names.changelog)}


class BatchChannel(Channel[Batch]):
    """The channel to the agent. It ignores Faust's flow control, which stops all partitions while *one* recovers."""

    async def put_batch(self, batch: Batch) -> None:
        """Returns when the agent can take the batch."""
        await self.put(cast("EventT[Batch]", batch))  # Faust passes any object on

    @property
    def queue(self) -> ThrowableQueue[Batch]:
        if self._queue is None:
            always = FlowControlEvent(initially_suspended=False)
            self._queue = ThrowableQueue(maxsize=self.maxsize, flow_control=always)
        return self._queue


class AgentTransport(base.Transport):
    """Creates the app's consumer and holds what it needs."""

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
