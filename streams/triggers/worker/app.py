"""Wires a worker from its settings and runs it. One worker is one process with one slot and one Faust app."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import cast

import faust
import structlog
import uvloop

from triggers.agent.consumer.guard import Guard
from triggers.agent.consumer.member import Member
from triggers.agent.consumer.ownership import Ownership
from triggers.agent.consumer.processor import Processor, process_batch
from triggers.agent.consumer.progress import Progress
from triggers.agent.consumer.pump import Pump
from triggers.agent.consumer.standstill_watch import StandstillWatch
from triggers.agent.faust.faust_private import check_faust
from triggers.agent.faust.partition_store import PartitionStore, session_table
from triggers.agent.faust.recovery import BulkTableManager
from triggers.agent.faust.transport import AgentConsumer, AgentTransport, BatchChannel
from triggers.agent.faust.web_server import QueryServer, listen, url_of
from triggers.agent.faust.worker_app import new_app
from triggers.agent.turns import partition_turn
from triggers.agent.turns.agent import Agent
from triggers.agent.turns.decision_feed import DecisionFeed
from triggers.agent.turns.decision_traces import DecisionTracer
from triggers.agent.turns.overlay import Overlays
from triggers.agent.turns.partition_turn import TurnContext
from triggers.agent.turns.session_cache import SessionCache
from triggers.agent.turns.timers import Timers
from triggers.client.schema_registry import event_decoder
from triggers.core.state.plans import Plans
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.followed_password import FollowedPassword
from triggers.kafka.gap_reader import GapReader
from triggers.kafka.installed_topics import InstalledTopics, wait_for_topics
from triggers.kafka.patience import Patience
from triggers.kafka.queue_topics import BrokerQueues
from triggers.kafka.reading_options import gap_reader_options
from triggers.kafka.worker_options import (
    member_options,
    probe_options,
    producer_options,
    restore_options,
    second_restore_options,
)
from triggers.process.exits import ExitCode, crash_only, exit_now
from triggers.process.footprint import freeze_garbage_collector, limit_malloc_arenas
from triggers.settings import Settings
from triggers.store.batch import Batch
from triggers.store.orphaned_transactions import OrphanedTransactions
from triggers.store.restore import Restorer
from triggers.store.transaction import Transactions
from triggers.telemetry.logs import configure_logging
from triggers.telemetry.metrics import Metrics
from triggers.telemetry.tracing import open_sink
from triggers.topology import Topology
from triggers.worker.access import Access
from triggers.worker.clock_watch import watch_clock
from triggers.worker.counted_rebalances import CountedRebalances
from triggers.worker.http_handlers import HttpHandlers
from triggers.worker.read_relay import ReadRelay
from triggers.worker.search_everywhere import SearchEverywhere
from triggers.worker.state_metrics import StateMetrics
from triggers.worker.stuck_sessions import StuckSessions
from triggers.worker.topic_limits import TopicLimits

log = structlog.get_logger(__name__)

_STOP_TIMEOUT_S = 20.0
_IS_COMPILED = not (partition_turn.__file__ or "").endswith(".py")
"""True if mypyc has compiled the package, as in the image's wheel (docs/decisions/0017-compiled-wheels.md)."""


def run_worker(settings: Settings, slot: int) -> int:
    """Runs the worker of a slot until SIGTERM or SIGINT, and returns its exit code.

    Blocks. An error ends the process without returning. Call it in the main thread of a separate process.
    """
    worker_id = settings.id_of_worker(slot)
    configure_logging(settings, worker=worker_id)
    limit_malloc_arenas()
    with crash_only():
        check_faust()
        with listen(settings.web_host, settings.web_port and settings.web_port + slot) as listening:
            url = url_of(listening, settings.web_host, settings.advertised_url, slot)
            log.info(
                "worker starts",
                namespace=settings.namespace,
                brokers=settings.shown_brokers,
                url=url,
                compiled=_IS_COMPILED,
            )
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run_until_signal(settings, worker_id, url, listening))
    log.info("worker stopped", code=0, meaning=ExitCode.OK.meaning)
    return ExitCode.OK


async def _run_until_signal(settings: Settings, worker_id: str, url: str, listening: socket.socket) -> None:
    worker = Worker(settings, worker_id, url, listening)
    stop_requested = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop_requested.set)
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop_requested.wait())
    watching = asyncio.create_task(watch_clock())
    await asyncio.wait({running, stopping, watching}, return_when=asyncio.FIRST_COMPLETED)
    with crash_only():  # inside the runner, because closing it waits for threads, one of which may hang
        for ended in (watching, running):
            if ended.done():
                ended.result()
        watching.cancel()
        log.info("worker stops")
        try:
            await asyncio.wait_for(worker.stop(), _STOP_TIMEOUT_S)
        except TimeoutError:
            exit_now(ExitCode.OK, "the broker does not answer; stopped without leaving the group")


class Worker:
    """One worker, with all objects that live as long as its process."""

    def __init__(self, settings: Settings, worker_id: str, url: str, listening: socket.socket) -> None:
        self._settings = settings
        self._worker_id, self._url = worker_id, url
        self._names = Topology(settings.namespace)
        self._patience = Patience(settings.transaction_timeout_s)
        self._metrics = Metrics()
        self._spans = open_sink("triggers-worker", worker_id)
        self._queues = BrokerQueues(settings)
        self._ownership = Ownership()
        self._progress = Progress()
        self._app = new_app(settings, worker_id)
        self._table = session_table(self._app, self._names.table, self._names.changelog)
        self._store = cast("PartitionStore", self._table.data)
        self._stuck = StuckSessions(self._progress, self._store.partition_rows, int(settings.stuck_after_s * 1000))
        StateMetrics(self._progress, self._store.partition_rows, self._stuck, self._metrics.registry)
        self._restorer = self._new_restorer()
        self._handlers = HttpHandlers(
            ownership=self._ownership,
            progress=self._progress,
            rows_of=self._store.partition_rows,
            metrics=self._metrics,
            access=Access(settings),
            relay=ReadRelay(settings),
            everywhere=SearchEverywhere(settings),
            restores=self._restorer.progress,
        )
        self._app.query_server = QueryServer(self._app, listening, self._handlers.routes())
        self._app.transport = AgentTransport(
            self._app, names=self._names, ownership=self._ownership, new_pump=self._new_pump, on_lost=self._on_lost
        )
        cast("BulkTableManager", self._app.tables).use(self._ownership, self._restorer)
        self._batches = BatchChannel(self._app, maxsize=1)
        self._app.register_agent(self._batches, self._agent)
        self._processor: Processor | None = None
        self._transactions: Transactions | None = None

    def _new_restorer(self) -> Restorer:
        settings = self._settings
        return Restorer(
            options=lambda: restore_options(settings),
            second_options=lambda: second_restore_options(settings),
            probe_options=lambda: probe_options(settings),
            topic=self._names.changelog,
            rows_of=self._store.partition_rows,
            metrics=self._metrics,
            orphans=OrphanedTransactions(settings, self._worker_id),
        )

    async def run(self) -> None:
        """Runs until `stop`. Raises the error if Faust crashes."""
        self._stuck.start()
        starting = asyncio.create_task(self._app.start())
        watching = asyncio.create_task(self._app.wait_until_stopped())  # a start that waits does not notice a crash
        await asyncio.wait({starting, watching}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
        await watching
        if self._app.crash_reason is not None:
            raise self._app.crash_reason

    async def stop(self) -> None:
        """Finishes the batches in flight, leaves the group and closes the files."""
        self._stuck.stop()
        consumer = cast("AgentConsumer", self._app.consumer)
        await consumer.stop_pump()
        await self._app.stop()
        if self._spans is not None:
            await asyncio.to_thread(self._spans.close)
        if self._transactions is not None and self._transactions.has_hung_call:
            exit_now(ExitCode.OK, "stopped as requested, although a Kafka call hangs")

    async def _new_pump(self, consumer: AgentConsumer) -> Pump:
        topics = await wait_for_topics(self._settings)
        self._store.topics = topics
        agent = self._processor = self._new_agent(topics)
        self._handlers.partitions = topics.partitions
        transactions = self._transactions = self._new_transactions(topics)
        pump = Pump(
            member=self._new_member(consumer),
            transactions=transactions,
            processor=agent,
            hand_over=self._batches.put_batch,
            rows_of=self._store.partition_rows,
            progress=self._progress,
            metrics=self._metrics,
            settings=self._settings,
            patience_s=self._patience.watchdog_s,
            on_too_large=TopicLimits(self._settings, topics, self._queues, agent, transactions).follow,
        )
        freeze_garbage_collector()
        return pump

    def _new_member(self, consumer: AgentConsumer) -> Member:
        patience = self._patience
        guard = Guard(self._new_gap_reader(), self._metrics, proof_s=patience.proof_s, pause_s=patience.refetch_pause_s)
        return Member(
            member_options(self._settings, f"{self._worker_id}@{self._url}"),
            self._names.events,
            self._ownership,
            CountedRebalances(consumer, self._metrics),
            guard,
            standstills=StandstillWatch(guard, self._new_gap_reader()),
            is_empty=lambda partition: self._store.partition_rows(partition).changelog_offset() < 0,
            keeps_rows=True,
            patience_s=patience.group_offsets_s,
            password=FollowedPassword(self._settings, ClientKind.CONSUMER),
        )

    def _new_gap_reader(self) -> GapReader:
        return GapReader(lambda: gap_reader_options(self._settings), self._names.events)

    def _new_transactions(self, topics: InstalledTopics) -> Transactions:
        return Transactions(
            producer_options(self._settings, self._worker_id, topics.smallest_limit, topics.largest_limit),
            source=self._names.events,
            changelog=self._names.changelog,
            patience=self._patience,
            password=FollowedPassword(self._settings, ClientKind.PRODUCER),
        )

    def _new_agent(self, topics: InstalledTopics) -> Agent:
        context = TurnContext(
            names=self._names,
            topics=topics,
            decoder=event_decoder(self._settings),
            plans=Plans(),
            cache=SessionCache(self._settings.cached_sessions),
            rows=Overlays(self._store.partition_rows),
            metrics=self._metrics,
            queues=self._queues,
            feed=DecisionFeed(self._names.decisions) if self._settings.decisions else None,
            tracer=DecisionTracer(exports=self._spans is not None),
        )
        timers = Timers(self._names.events, context.rows.for_partition, self._metrics)
        return Agent(context, timers, self._metrics, self._spans)

    async def _agent(self, batches: faust.StreamT[Batch]) -> None:
        """The Faust agent. It processes one batch at a time; the pump handles the errors."""
        async for batch in batches:
            process_batch(batch, cast("Processor", self._processor))  # it is made before the pump that sends batches

    def _on_lost(self, partitions: frozenset[int]) -> None:
        self._restorer.stop_writing(partitions)
        if self._processor is not None:
            self._processor.forget(partitions)
        self._store.close_partitions(partitions)
