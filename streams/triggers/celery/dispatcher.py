"""`triggers dispatcher`: moves commands from Kafka into the application's own durable Celery broker.

It is the alternative to Celery workers that read the commands from Kafka themselves, for more workers than partitions,
or for tasks so long that a rebalance must not start them again. A dispatched command has the broker's guarantees.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

from triggers.celery import no_broker
from triggers.celery.brokers import check_durable_broker
from triggers.celery.celery_private import check_celery
from triggers.celery.command_sender import CommandSender
from triggers.celery.command_source import CommandSource, Delivery
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.screening import Screening
from triggers.core.commands import CancelTask, RunTask
from triggers.kafka.denials import check_permissions
from triggers.kafka.permissions import Process
from triggers.kafka.records import Record, timestamp_ms
from triggers.settings import Settings
from triggers.telemetry import service_families as families
from triggers.telemetry.catalogue import MeasuredProcess
from triggers.telemetry.exposition import new_registry, serve_metrics
from triggers.telemetry.families import MeasuredFamilies
from triggers.telemetry.tracing import export_spans
from triggers.topology import Queue, Topology, parse_queues, queue_title

_POLL_S: Final = 0.1
_COMMIT_EVERY_S: Final = 0.2
_SHORTEST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
_MAX_BYTES: Final = 64_000_000
_MAX_UNCOMMITTED: Final = 500
"""Maximum number of commands that run twice if the dispatcher is killed, or if Kafka accepts no commit for long."""

log = logging.getLogger(__name__)


def run_dispatcher(app: Any, settings: Settings | None = None) -> int:
    """Dispatches commands until SIGTERM or SIGINT, and returns the exit code. Blocks. Call it in the main thread.

    The queues are those of the settings. Celery's own routing decides where in the app's broker a command goes. Retries
    with growing pauses while that broker does not answer. Raises UnsuitableBroker for a broker that loses tasks,
    UnsupportedCelery, SettingsError, and KafkaException for errors that are not transient.
    """
    check_celery()
    no_broker.register()
    check_durable_broker(app)
    _confirm_publishing(app)
    settings = settings or Settings.from_env()
    dispatcher = Dispatcher(app, settings, parse_queues(settings.queue_names))
    export_spans("triggers-dispatcher")
    if settings.metrics_port:
        serve_metrics(settings, dispatcher.metrics.registry)
    with _stop_signals() as stopping:
        dispatcher.run(stopping)
    return 0


class Dispatcher:
    """Dispatches the commands of its queues, one queue after another. It works in the thread that calls `run`."""

    def __init__(self, app: Any, settings: Settings, queues: Sequence[Queue] = (None,)) -> None:
        self._app = app
        self._settings = settings
        self._queues = queues
        publisher = ResultPublisher(settings)
        self._sender = CommandSender(app, publisher)
        self._dispatchers = [_QueueDispatcher(settings, publisher, queue, len(queues), self._send) for queue in queues]
        self.metrics = DispatchMetrics(
            lambda: [(queue_title(dispatcher.queue), dispatcher.backlog) for dispatcher in self._dispatchers]
        )
        _register_tasks(app)

    def run(self, stopping: threading.Event) -> None:
        """Dispatches commands until `stopping` is set, then commits and leaves the groups. Blocks."""
        names = Topology(self._settings.namespace)
        log.info(
            "dispatching commands from %s of Kafka at %s into %s",
            ", ".join(map(names.commands_of, self._queues)),
            self._settings.shown_brokers,
            self._app.connection_for_write().as_uri(),
        )
        if self._settings.is_secured:
            check_permissions(self._settings, Process.DISPATCHER)
        for dispatcher in self._dispatchers:
            dispatcher.source.join_group()
        try:
            while not stopping.is_set():
                for dispatcher in self._dispatchers:
                    dispatcher.run_cycle(stopping)
        finally:
            for dispatcher in self._dispatchers:
                dispatcher.source.close()

    def _send(self, delivery: Delivery, command: RunTask | CancelTask) -> Exception | None:
        """Sends a command as `delay` would. Returns the broker's error if it must be sent again later."""
        error = self._sender.send(delivery, command)
        if error is None:
            self.metrics.record_dispatch(delivery)
        else:
            self.metrics.faults.inc()
        return error


class _QueueDispatcher:
    """Dispatches the commands of one queue. It is a member of the consumer group of the queue's executors."""

    def __init__(
        self,
        settings: Settings,
        publisher: ResultPublisher,
        queue: Queue,
        queue_count: int,
        send: Callable[[Delivery, RunTask | CancelTask], Exception | None],
    ) -> None:
        """The limits of the dispatcher are divided among `queue_count` queues."""
        self._prefetch = max(1, settings.celery_prefetch // queue_count)
        self._max_bytes = _MAX_BYTES // queue_count
        self._max_uncommitted = max(1, _MAX_UNCOMMITTED // queue_count)
        self._poll_s = _POLL_S / queue_count
        self._send = send
        self._screening = Screening(publisher, tasks=None)
        self._backlog: deque[tuple[Delivery, RunTask | CancelTask]] = deque()
        self._pause_s = 0.0
        self._resume_at = 0.0
        self._uncommitted = 0
        self._committed_at = 0.0
        self.queue = queue
        self.source = CommandSource(settings, queue=queue)

    @property
    def backlog(self) -> int:
        """Number of commands that are fetched and not dispatched."""
        return len(self._backlog)

    def run_cycle(self, stopping: threading.Event) -> None:
        """Takes commands, dispatches them and commits. Blocks for a poll, and while the app's broker accepts them."""
        self.source.set_paused(len(self._backlog) >= self._prefetch or self.source.unfinished_bytes >= self._max_bytes)
        for delivery in self.source.poll(self._poll_s):
            command = self._screening.screen(delivery)
            if command is None or (isinstance(command, CancelTask) and self._drop(command)):
                self.source.settle(delivery)
            else:
                self._backlog.append((delivery, command))
        while self._backlog and self._may_dispatch() and not stopping.is_set():
            self._dispatch(*self._backlog.popleft())
        self._commit()

    def _may_dispatch(self) -> bool:
        return not self._is_ahead() and time.monotonic() >= self._resume_at

    def _is_ahead(self) -> bool:
        return self._uncommitted >= self._max_uncommitted

    def _drop(self, cancellation: CancelTask) -> bool:
        """Drops the cancelled command if it is not dispatched yet. Returns whether it was dropped."""
        for waiting in self._backlog:
            delivery, command = waiting
            if isinstance(command, RunTask) and command.id == cancellation.id:
                self._backlog.remove(waiting)
                self.source.settle(delivery)
                return True
        return False

    def _dispatch(self, delivery: Delivery, command: RunTask | CancelTask) -> None:
        """Sends the oldest command. One that the broker refuses is tried again after the others."""
        if self.source.owns(delivery):
            error = self._send(delivery, command)
            if error is not None:
                self._backlog.append((delivery, command))
                self._back_off(error)
                return
            self._uncommitted += 1
        self._pause_s = 0.0
        self.source.settle(delivery)

    def _back_off(self, error: Exception) -> None:
        self._pause_s = min(max(self._pause_s * 2, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        self._resume_at = time.monotonic() + self._pause_s
        log.warning("the Celery broker does not answer; trying again in %.1f s: %s", self._pause_s, error)

    def _commit(self) -> None:
        if not self._is_ahead() and time.monotonic() - self._committed_at < _COMMIT_EVERY_S:
            return
        self.source.check_gaps()
        if self.source.commit(wait=True):
            self._uncommitted = 0
        self._committed_at = time.monotonic()


def _register_tasks(app: Any) -> None:
    """Imports the app's tasks as a Celery worker does. Without their options, commands go to the default queue."""
    app.loader.import_default_modules()
    app.finalize()


def _confirm_publishing(app: Any) -> None:
    """Enables publisher confirms, without which RabbitMQ does not acknowledge messages."""
    if app.connection_for_write().transport.driver_type == "amqp":
        options = app.conf.broker_transport_options or {}
        app.conf.broker_transport_options = {"confirm_publish": True, **options}


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    stopping = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stopping.set()) for number in numbers]
    try:
        yield stopping
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class DispatchMetrics:
    """Counts and times dispatched commands."""

    def __init__(self, backlog: Callable[[], Iterable[tuple[str, int]]]) -> None:
        """`backlog` returns the number of commands that are not dispatched, by queue."""
        self.registry = registry = new_registry(MeasuredProcess.DISPATCHER)
        self._dispatched = families.DISPATCHED.create(registry)
        self._seconds = families.DISPATCH_SECONDS.create(registry)
        self.faults = families.DISPATCH_FAULTS.create(registry)
        MeasuredFamilies(
            (families.BACKLOG,),
            lambda: ((families.BACKLOG, ((queue,), number)) for queue, number in backlog()),
            registry,
        )

    def record_dispatch(self, delivery: Delivery) -> None:
        """Records that the Celery broker has a command."""
        self._dispatched.inc()
        waited_ms = time.time_ns() / 1_000_000 - timestamp_ms(cast("Record", delivery.message))
        self._seconds.observe(max(0.0, waited_ms / 1000))  # the clocks of two machines may differ
