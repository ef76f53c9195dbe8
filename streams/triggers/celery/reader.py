"""The thread that owns the Kafka consumer of a Celery worker (confluent-kafka wants one thread at a time)."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from triggers.celery.command_source import CommandInHand, CommandSource, Delivery
from triggers.celery.screening import Screening
from triggers.celery.suspects import Suspects
from triggers.settings import Settings

_POLL_S: Final = 0.05
_COMMIT_EVERY_S: Final = 0.2
"""Bounds how many finished tasks the loss of a worker repeats."""
_COMMIT_AT_LAST_S: Final = 1.0
"""So long a commit waits for a proof, which takes some milliseconds as a rule: it would soon follow by another one."""
_MAX_BYTES: Final = 64_000_000

log = logging.getLogger(__name__)


class Reader(threading.Thread):
    """Feeds `ready` from Kafka and commits what is given back through `settle`."""

    def __init__(
        self,
        settings: Settings,
        screening: Screening,
        capacity: int,
        wake: Callable[[], None],
        on_death: Callable[[], None],
    ) -> None:
        """`room`: commands that Celery is given at once. `wake`: `ready` has something. `on_death`: it is all over."""
        super().__init__(name="triggers-commands", daemon=True)
        self._prefetch = settings.celery_prefetch
        self._screening = screening
        self._wake = wake
        self._on_death = on_death
        self._suspects = Suspects(capacity)
        self._unmarked: list[CommandInHand] = []
        self._settled: deque[Delivery] = deque()
        self._draining = threading.Event()
        self._stopping = threading.Event()
        self._full = False
        self._source = CommandSource(settings, self._settle)
        self.ready: deque[CommandInHand] = deque()
        """To be run, oldest first. What is still here when its partition goes is not run."""

    def owns(self, command: CommandInHand) -> bool:
        """Whether the command was not given to somebody else meanwhile."""
        return self._source.owns(command.delivery)

    def settle(self, command: CommandInHand) -> None:
        """The outcome is on Kafka, or somebody else's affair. Called from any thread."""
        self._settled.append(command.delivery)

    def drain(self) -> None:
        """Take nothing new; what has not begun stays on Kafka."""
        self._draining.set()
        self.ready.clear()

    def stop(self, timeout_s: float) -> None:
        """Hand everything over, and wait for that."""
        self._stopping.set()
        self.join(timeout_s)

    def run(self) -> None:
        """The thread."""
        try:
            self._run_loop()
        except BaseException:
            log.critical("the reader of the commands topic died; the worker stops", exc_info=True)
            self._on_death()
        finally:
            self._source.close()

    def _run_loop(self) -> None:
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

    def _should_pause(self) -> bool:
        part = 2 if self._full else 1
        self._full = (
            self._draining.is_set()
            or self._source.unfinished_count >= self._prefetch // part
            or self._source.unfinished_bytes >= _MAX_BYTES // part
        )
        return self._full

    def _screen(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            command = self._screening.screen(delivery)
            if command is None:
                self._source.settle(delivery)
            elif delivery.is_suspect:
                self._suspects.add_suspect(CommandInHand(delivery, command))
            else:
                self._unmarked.append(CommandInHand(delivery, command))

    def _release_marked(self) -> None:
        """Give Celery what a commit covers: the suspects a few at a time, each run of them counted."""
        self._unmarked += self._suspects.take_runnable()
        if not self._unmarked or not self._source.mark_owned([command.delivery for command in self._unmarked]):
            return
        covered, self._unmarked = self._unmarked, []
        if not self._draining.is_set():
            self.ready.extend(covered)
            self._wake()

    def _settle(self) -> None:
        while self._settled:
            delivery = self._settled.popleft()
            self._source.settle(delivery)
            self._suspects.forget(delivery)
