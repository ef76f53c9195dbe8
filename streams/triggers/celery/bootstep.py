"""`CommandStep`: the bootstep with which a Celery worker runs commands from Kafka."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import Any, Final

from celery import bootsteps, signals
from celery.worker import state

from triggers.celery.brokers import check_worker_broker
from triggers.celery.command_request import CommandRequest, request_for
from triggers.celery.command_source import CommandInHand
from triggers.celery.reader import Reader
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.screening import Screening
from triggers.topology import Topology

PER_SLOT: Final = 2
"""Number of commands that Celery gets per pool slot. The others wait in the reader, where a rebalance can revoke them
before they run."""
EXIT_READER_DIED: Final = 74
"""Exit code of a worker whose reader died (`os.EX_IOERR`)."""
_HANDOVER_S: Final = 30.0

log = logging.getLogger(__name__)


class CommandStep(bootsteps.StartStopStep):
    """Runs in the main process of a Celery worker. The `Reader` thread owns the Kafka consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    publisher: ResultPublisher
    """Publishes results and dead letters. `install()` sets it in a subclass."""

    def __init__(self, consumer: Any, **options: Any) -> None:
        """Called before the pool starts. Raises UnsuitableBroker if the app's broker would lose tasks."""
        super().__init__(consumer, **options)
        self._consumer = consumer
        self._topic = Topology(self.publisher.settings.namespace).commands
        self._reader: Reader | None = None
        self._running: dict[CommandInHand, CommandRequest] = {}
        self._wake_reader, self._wake_writer = -1, -1
        check_worker_broker(consumer.app, has_event_loop=consumer.hub is not None)

    def start(self, consumer: Any) -> None:
        """Starts the reader. Celery calls it again after each reconnect to the app's own broker; the reader remains."""
        if self._reader is None:
            self._reader = self._start_reader(consumer)
        elif consumer.pool.uses_semaphore:
            self._return_unstarted(self._reader)
        self._wake()

    def register_with_event_loop(self, _consumer: Any, hub: Any) -> None:
        """Makes Celery's event loop call `_submit_commands` when the reader has written to the wake-up pipe."""
        hub.add_reader(self._wake_reader, self._submit_commands)

    def close(self, _consumer: Any) -> None:
        """Called when a shutdown begins. Commands that have not started are left to other workers."""
        if self._reader is not None:
            self._reader.drain()

    def shutdown(self, _consumer: Any) -> None:
        """Called when the pool has drained. Commits what is settled and leaves the group. Blocks for at most 30 s."""
        if self._reader is not None:
            self._reader.stop(_HANDOVER_S)

    def _start_reader(self, consumer: Any) -> Reader:
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        screening = Screening(self.publisher, consumer.app.tasks)
        settings = self.publisher.settings
        reader = Reader(settings, screening, self._capacity(), wake=self._wake, on_death=self._stop_worker)
        reader.start()
        log.info("running commands from %s of Kafka at %s", self._topic, settings.brokers)
        return reader

    def _return_unstarted(self, reader: Reader) -> None:
        """Puts back commands that have not started. A prefork pool drops them on a reconnect to the app's broker."""
        for command, request in reversed(list(self._running.items())):
            if request not in state.active_requests:
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
        reader = self._reader
        while reader is not None and len(self._running) < self._capacity():
            try:
                command = reader.ready.popleft()
            except IndexError:
                return
            self._run_command(reader, command)
            state.maybe_shutdown()

    def _run_command(self, reader: Reader, command: CommandInHand) -> None:
        if not reader.owns(command):
            reader.settle(command)
            return
        request = request_for(command.command, self._topic, self._consumer)
        self._running[command] = request.bind(command, self._on_reported, self.publisher)
        request.announce_received()
        signals.task_received.send(sender=self._consumer, request=request)
        state.task_reserved(request)
        for on_task_message in self._consumer.on_task_message:  # the autoscaler's
            on_task_message(request)
        self._consumer.on_task_request(request)

    def _on_reported(self, command: CommandInHand) -> None:
        """Called when a command's outcome is on Kafka, in any thread of the pool."""
        self._running.pop(command, None)
        if self._reader is not None:
            self._reader.settle(command)
        self._wake()
