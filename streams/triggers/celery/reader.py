"""`Reader`: the thread that owns the Kafka consumer of a Celery worker, because a consumer is not thread-safe."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from triggers.celery.cancellations import Cancellations
from triggers.celery.command_source import CommandInHand, CommandSource, Delivery
from triggers.celery.screening import Screening
from triggers.celery.suspects import Suspects
from triggers.core.commands import CancelTask, RunTask
from triggers.errors import AccessDenied
from triggers.kafka.denials import check_permissions
from triggers.kafka.permissions import Process
from triggers.settings import Settings
from triggers.topology import Queue, queue_title

_POLL_S: Final = 0.05
_COMMIT_EVERY_S: Final = 0.2
"""Pause between commits. Tasks that finished since the last commit run again if the worker is killed."""
_COMMIT_AT_LAST_S: Final = 1.0
"""Maximum wait of a commit for a running proof. A proof usually takes milliseconds, and otherwise another commit would
follow at once."""
_MAX_BYTES: Final = 64_000_000

log = logging.getLogger(__name__)


class Reader(threading.Thread):
    """Appends commands of a queue to `ready`, and commits those that are passed to `settle`."""

    def __init__(  # noqa: PLR0917  # the parts of a worker that its reader uses
        self,
        settings: Settings,
        screening: Screening,
        capacity: int,
        wake: Callable[[], None],
        await_results: Callable[[], object],
        on_death: Callable[[], None],
        queue: Queue = None,
        readers: int = 1,
    ) -> None:
        """`capacity` is the number of commands that Celery holds at once. `readers` share the limits of the worker.

        In the reader's thread, `wake` is called when `ready` has new commands, `await_results` before partitions are
        revoked, and `on_death` when the thread dies.
        """
        super().__init__(name=f"triggers-{queue_title(queue)}", daemon=True)
        self.queue = queue
        self._settings = settings
        self._prefetch = max(1, settings.celery_prefetch // readers)
        self._max_bytes = _MAX_BYTES // readers
        self._screening = screening
        self._wake = wake
        self._await_results = await_results
        self._on_death = on_death
        self._suspects = Suspects(capacity)
        self._unmarked: list[CommandInHand] = []
        self._settled: deque[CommandInHand] = deque()
        self._cancellations = Cancellations()
        self._draining = threading.Event()
        self._stopping = threading.Event()
        self._full = False
        self._source = CommandSource(settings, self._settle_before_handover, queue)
        self.ready: deque[CommandInHand] = deque()
        """Commands to run, the oldest first. They do not run if their partition is revoked before."""

    @property
    def in_hand(self) -> int:
        """Number of commands that were fetched and are not settled. Thread-safe."""
        return self._source.unfinished_count

    def owns(self, command: CommandInHand) -> bool:
        """Returns whether this worker still owns the command's partition. Thread-safe."""
        return self._source.owns(command.delivery)

    def settle(self, command: CommandInHand) -> None:
        """Marks a command as done: its result is on Kafka, or its partition belongs to another worker. Thread-safe."""
        self._settled.append(command)

    def is_cancelled(self, command: CommandInHand) -> bool:
        """Returns whether a command has been cancelled, so that it must not begin. Thread-safe."""
        return self._cancellations.is_cancelled(command)

    def take_cancellation(self) -> CancelTask | None:
        """Removes and returns the next cancellation of a command that is not settled, or None. Thread-safe."""
        return self._cancellations.take()

    def drain(self) -> None:
        """Stops passing on commands. Those that have not started are left to other workers. Thread-safe."""
        self._draining.set()
        self.ready.clear()

    def request_stop(self) -> None:
        """Makes the thread commit, leave the group and end. Does not block; `join` waits for the end. Thread-safe."""
        self._stopping.set()

    def run(self) -> None:
        """Runs in the thread until `request_stop`. An exception stops the Celery worker through `on_death`."""
        try:
            self._run_loop()
        except AccessDenied as error:
            log.critical("%s; the worker stops", error)
            self._on_death()
        except BaseException:
            log.critical("the reader of the commands topic died; the worker stops", exc_info=True)
            self._on_death()
        finally:
            self._source.close()

    def _run_loop(self) -> None:
        if self._settings.is_secured:
            check_permissions(self._settings_of_queue(), Process.CELERY)
        self._source.join_group()
        committed_at = 0.0
        while not self._stopping.is_set():
            self._settle()
            self._source.set_paused(self._should_pause())
            self._screen(self._source.poll(_POLL_S))
            self._release_marked()
            since_s = time.monotonic() - committed_at
            if since_s > _COMMIT_EVERY_S and (self._source.check_gaps() or since_s > _COMMIT_AT_LAST_S):
                self._source.commit()
                committed_at = time.monotonic()

    def _settings_of_queue(self) -> Settings:
        """Returns the settings of a Celery worker that takes commands of this queue only."""
        return msgspec.structs.replace(self._settings, queues=queue_title(self.queue))

    def _should_pause(self) -> bool:
        part = 2 if self._full else 1
        self._full = (
            self._draining.is_set()
            or self._source.unfinished_count >= self._prefetch // part
            or self._source.unfinished_bytes >= self._max_bytes // part
        )
        return self._full

    def _screen(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            command = self._screening.screen(delivery)
            if isinstance(command, RunTask):
                self._take_in_hand(CommandInHand(delivery, command))
            elif command is not None and self._cancellations.add_cancellation(command, delivery):
                self._wake()
            else:
                self._source.settle(delivery)

    def _take_in_hand(self, command: CommandInHand) -> None:
        self._cancellations.add_command(command)
        if command.delivery.is_suspect:
            self._suspects.add_suspect(command)
        else:
            self._unmarked.append(command)

    def _release_marked(self) -> None:
        """Passes commands on to Celery after the commit that marks them as held. Runs of suspects are counted in it."""
        self._unmarked += self._suspects.take_runnable()
        if not self._unmarked or not self._source.mark_owned([command.delivery for command in self._unmarked]):
            return
        covered, self._unmarked = self._unmarked, []
        if not self._draining.is_set():
            self.ready.extend(covered)
            self._wake()

    def _settle_before_handover(self) -> None:
        """Settles what is finished, including the commands whose results are on their way."""
        self._await_results()
        self._settle()

    def _settle(self) -> None:
        while self._settled:
            command = self._settled.popleft()
            for delivery in (command.delivery, *self._cancellations.settle(command)):
                self._source.settle(delivery)
            self._suspects.forget(command.delivery)
