"""`CommandStep`: the bootstep with which a Celery worker runs commands from Kafka."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from celery import bootsteps, signals
from celery.exceptions import WorkerShutdown
from celery.worker import state

from triggers.celery.batching_publisher import BatchingPublisher
from triggers.celery.brokers import check_worker_broker
from triggers.celery.command_request import CommandRequest
from triggers.celery.command_source import CommandInHand
from triggers.celery.early_reports import receive_early_reports
from triggers.celery.reader import Reader
from triggers.celery.reports import Report
from triggers.celery.request_making import request_for
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.routing import routing_check
from triggers.celery.screening import Screening
from triggers.core.commands import CancelTask
from triggers.errors import SettingsError
from triggers.topology import Queue, Topology, queue_title

if TYPE_CHECKING:
    from triggers.celery.run_metrics import RunMetrics

PER_SLOT: Final = 2
"""Number of commands that Celery gets per pool slot. The others wait in the reader, where a rebalance can revoke them
before they run."""
EXIT_READER_DIED: Final = 74
"""Exit code of a worker whose reader died (`os.EX_IOERR`)."""
EXIT_WRONG_SETTINGS: Final = 2
_HANDOVER_S: Final = 30.0
_REVOKED_S: Final = 1.0
"""Maximum wait for results on their way before partitions are revoked. Otherwise their commands would be repeated."""

log = logging.getLogger(__name__)


class _Running(NamedTuple):
    """A command that Celery has."""

    reader: Reader
    request: CommandRequest


class CommandStep(bootsteps.StartStopStep):
    """Runs in the main process of a Celery worker. Each queue has a `Reader`, a thread that owns a Kafka consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    publisher: ResultPublisher
    """Publishes dead letters, and failures of commands that cannot run. `install()` sets it in a subclass."""
    queues: ClassVar[tuple[Queue, ...]] = (None,)
    """The queues whose commands the worker takes. `install()` sets them in a subclass."""

    def __init__(self, consumer: Any, **options: Any) -> None:
        """Called before the pool starts. Raises UnsuitableBroker if the app's broker would lose tasks."""
        super().__init__(consumer, **options)
        self._consumer = consumer
        self._names = Topology(self.publisher.settings.namespace)
        self._readers: deque[Reader] = deque()
        """The readers. The next one in turn is first, so that no queue waits until another one is empty."""
        self._results = BatchingPublisher(self.publisher.settings, self._stop_worker)
        self._running: dict[CommandInHand, _Running] = {}
        self._is_held_back = False
        """True if no further command begins until Kafka has more of the results."""
        self._wake_reader, self._wake_writer = -1, -1
        self._metrics: RunMetrics | None = None
        self._close_metrics: Callable[[], None] = lambda: None
        check_worker_broker(consumer.app, has_event_loop=consumer.hub is not None)

    def start(self, consumer: Any) -> None:
        """Starts the readers. Celery calls it again after each reconnect to the app's broker; the readers remain."""
        if not self._readers:
            self._start_readers(consumer)
        else:
            self._return_unstarted(in_pool=consumer.pool.uses_semaphore)
        receive_early_reports(consumer.pool, self._report_early)
        self._wake()

    def register_with_event_loop(self, _consumer: Any, hub: Any) -> None:
        """Makes Celery's event loop call `_submit_commands` when a reader has written to the wake-up pipe."""
        hub.add_reader(self._wake_reader, self._submit_commands)

    def close(self, _consumer: Any) -> None:
        """Called when a shutdown begins. Commands that have not started are left to other workers."""
        for reader in self._readers:
            reader.drain()

    def shutdown(self, _consumer: Any) -> None:
        """Called when the pool has drained. Waits for results, commits what is settled and leaves the groups.

        Blocks for at most 30 s.
        """
        deadline = time.monotonic() + _HANDOVER_S
        if self._readers:
            self._results.close(_HANDOVER_S / 2)
        for reader in self._readers:
            reader.request_stop()
        for reader in self._readers:
            reader.join(max(0.0, deadline - time.monotonic()))
        self._close_metrics()

    def _serve_metrics(self) -> None:
        """Serves the metrics if the settings name a port. Ends the worker if the port is in use."""
        if not self.publisher.settings.metrics_port:
            return
        # The library of the metrics takes a while to import, and programs that only send tasks import this module, too.
        from triggers.celery.run_metrics import RunMetrics  # noqa: PLC0415  # slow
        from triggers.telemetry.exposition import serve_metrics  # noqa: PLC0415  # slow

        self._metrics = RunMetrics(self._count_in_hand, lambda: len(self._running))
        try:
            self._close_metrics = serve_metrics(self.publisher.settings, self._metrics.registry)
        except SettingsError as error:
            log.critical("%s", error)
            raise WorkerShutdown(EXIT_WRONG_SETTINGS) from error

    def _count_in_hand(self) -> list[tuple[str, int]]:
        return [(queue_title(reader.queue), reader.in_hand) for reader in tuple(self._readers)]

    def _start_readers(self, consumer: Any) -> None:
        self._serve_metrics()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        settings, check = self.publisher.settings, routing_check(consumer.app)
        self._results.start()
        for queue in self.queues:
            reader = Reader(
                settings,
                Screening(self.publisher, consumer.app.tasks, self.queues, check),
                self._capacity(),
                wake=self._wake,
                await_results=partial(self._results.wait_until_delivered, _REVOKED_S),
                on_death=self._stop_worker,
                queue=queue,
                readers=len(self.queues),
            )
            reader.start()
            self._readers.append(reader)
            log.info("running commands from %s of Kafka at %s", self._names.commands_of(queue), settings.shown_brokers)

    def _return_unstarted(self, *, in_pool: bool) -> None:
        """Puts back commands that have not started and that Celery drops on a reconnect to the app's broker.

        These are the ones that a rate limit holds back and, `in_pool`, the ones that wait in a prefork pool.
        """
        for command, (reader, request) in reversed(list(self._running.items())):
            if not request.is_submitted or (in_pool and request not in state.active_requests):
                del self._running[command]
                reader.ready.appendleft(command)

    def _capacity(self) -> int:
        return PER_SLOT * int(self._consumer.pool.num_processes)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full, so the loop is awake already
            os.write(self._wake_writer, b".")

    def _stop_worker(self) -> None:
        state.should_stop = EXIT_READER_DIED
        self._wake()

    def _submit_commands(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_reader, 65536)
        state.maybe_shutdown()
        for reader in self._readers:
            while cancellation := reader.take_cancellation():
                self._cancel(cancellation)
        while self._has_room() and (next_command := self._next_command()):
            self._run_command(*next_command)
            state.maybe_shutdown()

    def _has_room(self) -> bool:
        """Returns whether another command may begin. The flag is set first, so that no delivery is overlooked."""
        self._is_held_back = True
        if not self._results.has_room:
            return False
        self._is_held_back = False
        return len(self._running) < self._capacity()

    def _next_command(self) -> tuple[Reader, CommandInHand] | None:
        """Takes a command of the next queue that has one."""
        for _ in range(len(self._readers)):
            reader = self._readers[0]
            self._readers.rotate(-1)
            with suppress(IndexError):
                return reader, reader.ready.popleft()
        return None

    def _run_command(self, reader: Reader, command: CommandInHand) -> None:
        if not reader.owns(command) or reader.is_cancelled(command):
            reader.settle(command)
            return
        topic = self._names.commands_of(reader.queue)
        request = request_for(
            command,
            topic,
            self._consumer,
            self._results,
            on_ended=self._on_ended,
            on_reported=partial(self._on_reported, reader),
            metrics=self._metrics,
        )
        self._running[command] = _Running(reader, request)
        request.announce_received()
        signals.task_received.send(sender=self._consumer, request=request)
        self._submit(request)

    def _cancel(self, cancellation: CancelTask) -> None:
        """Ends a command that Celery has. The others are dropped before they begin."""
        for command, running in list(self._running.items()):
            if command.command.id == cancellation.id:
                running.request.end_attempt(self._consumer.pool, terminate=cancellation.terminate)

    def _submit(self, request: CommandRequest) -> None:
        """Passes a request to the pool, at once or when the task's rate limit allows it, as Celery's strategy does."""
        bucket = self._consumer.task_buckets[request.name]
        if bucket is not None and not self._consumer.disable_rate_limits:
            self._consumer._limit_task(request, bucket, 1)  # noqa: SLF001  # Celery's only way into a rate limit
            return
        state.task_reserved(request)
        for on_task_message in self._consumer.on_task_message:  # the autoscaler's
            on_task_message(request)
        self._consumer.on_task_request(request)

    def _report_early(self, task_id: str, reports: Sequence[Report]) -> None:
        """Called when a run has a result that its child has not returned yet."""
        for running in list(self._running.values()):
            if running.request.id == task_id:
                running.request.report_early(reports)

    def _on_ended(self, command: CommandInHand) -> None:
        """Called when Celery is done with a command, in any thread of the pool."""
        self._running.pop(command, None)
        self._wake()

    def _on_reported(self, reader: Reader, command: CommandInHand) -> None:
        """Called when a command's outcome is on Kafka, in any thread."""
        reader.settle(command)
        if self._is_held_back:
            self._wake()
