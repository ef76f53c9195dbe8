"""Runs several workers on one machine: one process per slot, restarted if a restart can help."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

import msgspec
import structlog

from triggers.process.exits import ExitCode, describe_exit
from triggers.settings import Settings
from triggers.telemetry.logs import configure_logging

log = structlog.get_logger(__name__)

Entry = Callable[[Settings, int], int]

_STOP_TIMEOUT_S = 30.0
"""Seconds after which a worker that has not stopped is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The pause before a restart. It doubles with every short life in a row."""

    first_s: float = 0.5
    max_s: float = 30.0
    healthy_s: float = 60.0
    """A longer life resets the count of short lives."""

    def pause_s(self, short_lives: int) -> float:
        """Returns the pause after this many short lives in a row."""
        return min(self.first_s * 2.0 ** max(short_lives - 1, 0), self.max_s)


@dataclass(slots=True)
class Slot:
    """One worker's process and its history. Callers pass the time of `time.monotonic()`."""

    number: int
    process: BaseProcess | None = None
    started_at: float = 0.0
    short_lives: int = 0
    restart_at: float | None = None

    def record_end(self, now: float, backoff: Backoff) -> None:
        """Records that the process has ended, and schedules its restart."""
        self.process = None
        self.short_lives = 1 if now - self.started_at > backoff.healthy_s else self.short_lives + 1
        self.restart_at = now + backoff.pause_s(self.short_lives)


def run_workers(settings: Settings, processes: int, *, backoff: Backoff | None = None) -> int:
    """Runs one worker per slot until SIGTERM or SIGINT, and returns the exit code.

    If a worker ends with a code that a restart does not cure, stops the others and returns that code. Blocks. Call it
    in the main thread.
    """
    configure_logging(settings, worker="supervisor")
    supervisor = Supervisor(settings, processes, backoff or Backoff())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    return supervisor.run()


def _run_worker(settings: Settings, slot: int) -> int:
    """Runs a worker in its own process."""
    from triggers.worker.app import run_worker  # noqa: PLC0415  # the supervisor needs no Faust and no RocksDB

    return run_worker(settings, slot)


@dataclass(slots=True)
class Supervisor:
    """Starts, restarts and stops the processes of the slots."""

    settings: Settings
    processes: int
    backoff: Backoff
    entry: Entry = _run_worker
    slots: list[Slot] = field(default_factory=list)
    _stopping: bool = False
    _code: int = ExitCode.OK

    def run(self) -> int:
        """Runs until `stop`, or until a worker ends for good. Returns the exit code; no process is left running."""
        self.slots = [Slot(number) for number in range(self.processes)]
        try:
            for slot in self.slots:
                self._start(slot)
            while not self._stopping:
                self._watch()
        finally:
            self._stop_all()
        return self._code

    def stop(self) -> None:
        """Makes `run` return. Safe in a signal handler."""
        self._stopping = True

    def _watch(self) -> None:
        sentinels = [slot.process.sentinel for slot in self.slots if slot.process is not None]
        wait(sentinels, timeout=0.2) if sentinels else time.sleep(0.2)
        now = time.monotonic()
        for slot in self.slots:
            if slot.process is not None and slot.process.exitcode is not None:
                self._handle_end(slot, slot.process.exitcode, now)
            elif slot.restart_at is not None and now >= slot.restart_at:
                self._start(slot)

    def _handle_end(self, slot: Slot, code: int, now: float) -> None:
        slot.record_end(now, self.backoff)
        restarts = code < 0 or code not in set(ExitCode) or ExitCode(code).restarts
        if not restarts:
            log.error("worker ended and is not restarted", slot=slot.number, code=code, meaning=describe_exit(code))
            self._stopping, self._code = True, code
        elif not self._stopping:
            pause = round(self.backoff.pause_s(slot.short_lives), 1)
            log.warning("worker ended", slot=slot.number, code=code, meaning=describe_exit(code), restart_in_s=pause)

    def _start(self, slot: Slot) -> None:
        slot.restart_at = None
        slot.started_at = time.monotonic()
        settings = slot_settings(self.settings, slot.number, self.processes)
        context = multiprocessing.get_context("spawn")  # a fork would inherit librdkafka's and RocksDB's threads
        slot.process = context.Process(
            target=_live, args=(self.entry, settings, slot.number), name=f"triggers-worker-{slot.number}"
        )
        slot.process.start()
        log.info("worker started", slot=slot.number, pid=slot.process.pid)

    def _stop_all(self) -> None:
        alive = [slot.process for slot in self.slots if slot.process is not None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        for process in alive:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                log.error("worker has not stopped in time and is killed", pid=process.pid)
                process.kill()
                process.join()


def slot_settings(settings: Settings, slot: int, processes: int) -> Settings:
    """Returns the settings of one slot. A configured worker id gets the slot as suffix, so that ids are unique."""
    if processes == 1 or not settings.worker_id:
        return settings
    return msgspec.structs.replace(settings, worker_id=f"{settings.worker_id}-{slot}")


def _live(entry: Entry, settings: Settings, slot: int) -> None:
    threading.Thread(target=_follow_parent, daemon=True, name="follow-parent").start()
    sys.exit(entry(settings, slot))


def _follow_parent() -> None:
    """Stops this worker when its supervisor is gone, because a killed supervisor cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_STOP_TIMEOUT_S)
        os._exit(ExitCode.OK)
