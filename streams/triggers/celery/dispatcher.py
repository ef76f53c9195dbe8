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
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from triggers.celery import no_broker
from triggers.celery.brokers import check_durable_broker
from triggers.celery.celery_private import check_celery
from triggers.celery.command_sender import CommandSender
from triggers.celery.command_source import CommandInHand, CommandSource
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.screening import Screening
from triggers.settings import Settings

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

    Retries with growing pauses while the app's broker does not answer. Raises UnsuitableBroker for a broker that loses
    tasks, UnsupportedCelery, and KafkaException for errors that are not transient.
    """
    check_celery()
    no_broker.register()
    check_durable_broker(app)
    _confirm_publishing(app)
    with _stop_signals() as stopping:
        Dispatcher(app, settings or Settings.from_env()).run(stopping)
    return 0


class Dispatcher:
    """A member of the executors' consumer group. It works in the thread that calls `run`."""

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._publisher = ResultPublisher(settings)
        self._screening = Screening(self._publisher, tasks=None)
        self._sender = CommandSender(app, self._publisher)
        self._source = CommandSource(settings)
        self._backlog: deque[CommandInHand] = deque()
        self._pause_s = 0.0
        self._resume_at = 0.0
        self._uncommitted = 0
        self._committed_at = 0.0

    def run(self, stopping: threading.Event) -> None:
        """Dispatches commands until `stopping` is set, then commits and leaves the group. Blocks."""
        self._source.join_group()
        log.info(
            "dispatching commands of %s into %s", self._settings.brokers, self._app.connection_for_write().as_uri()
        )
        try:
            while not stopping.is_set():
                self._turn(stopping)
        finally:
            self._source.close()

    def _turn(self, stopping: threading.Event) -> None:
        full = len(self._backlog) >= self._settings.celery_prefetch or self._source.unfinished_bytes >= _MAX_BYTES
        self._source.set_paused(full)
        for delivery in self._source.poll(_POLL_S):
            command = self._screening.screen(delivery)
            if command is None:
                self._source.settle(delivery)
            else:
                self._backlog.append(CommandInHand(delivery, command))
        while self._backlog and self._may_dispatch() and not stopping.is_set():
            self._dispatch(self._backlog[0])
        self._commit()

    def _may_dispatch(self) -> bool:
        return not self._is_ahead() and time.monotonic() >= self._resume_at

    def _is_ahead(self) -> bool:
        return self._uncommitted >= _MAX_UNCOMMITTED

    def _dispatch(self, command: CommandInHand) -> None:
        """Sends the oldest command. One that the broker does not accept goes behind the others and blocks none."""
        self._backlog.popleft()
        if self._source.owns(command.delivery):
            error = self._sender.send(command.command)
            if error is not None:
                self._backlog.append(command)
                self._back_off(error)
                return
            self._uncommitted += 1
        self._pause_s = 0.0
        self._source.settle(command.delivery)

    def _back_off(self, error: Exception) -> None:
        self._pause_s = min(max(self._pause_s * 2, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        self._resume_at = time.monotonic() + self._pause_s
        log.warning("the Celery broker does not answer; trying again in %.1f s: %s", self._pause_s, error)

    def _commit(self) -> None:
        if not self._is_ahead() and time.monotonic() - self._committed_at < _COMMIT_EVERY_S:
            return
        self._source.check_gaps()
        if self._source.commit(wait=True):
            self._uncommitted = 0
        self._committed_at = time.monotonic()


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
