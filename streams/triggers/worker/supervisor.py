"""Several workers on one machine: one process per slot, restarted when it ends for a reason that a restart may cure."""

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
from triggers.worker.app import run_worker

log = structlog.get_logger(__name__)

Entry = Callable[[Settings, int], int]

_GOODBYE_S = 30.0
"""A worker that has not stopped by itself by then is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before a restart: doubles with every end that follows a short life."""

    first_s: float = 0.5
    most_s: float = 30.0
    healthy_s: float = 60.0
    """A life this long starts the count anew."""

    def pause_s(self, short_lives: int) -> float:
        """After so many short lives in a row."""
        return min(self.first_s * 2.0 ** max(short_lives - 1, 0), self.most_s)


@dataclass(slots=True)
class Slot:
    """One worker's process and its history. Times are `time.monotonic()` and passed in."""

    number: int
    process: BaseProcess | None = None
    started_at: float = 0.0
    short_lives: int = 0
    restart_at: float | None = None

    def ended(self, now: float, backoff: Backoff) -> None:
        """The process is gone; plan the next."""
        self.process = None
        self.short_lives = 1 if now - self.started_at > backoff.healthy_s else self.short_lives + 1
        self.restart_at = now + backoff.pause_s(self.short_lives)


def run_workers(settings: Settings, processes: int, *, backoff: Backoff | None = None) -> int:
    """Run a worker per slot until SIGTERM or SIGINT; the exit code. Blocks; call it in the main thread.

    Ends by itself when a worker ends with a code that a restart would not cure, and returns that code.
    """
    configure_logging(settings, worker="supervisor")
    supervisor = Supervisor(settings, processes, backoff or Backoff())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    return supervisor.run()


@dataclass(slots=True)
class Supervisor:
    """Starts, watches and stops the slots' processes."""

    settings: Settings
    processes: int
    backoff: Backoff
    entry: Entry = run_worker
    slots: list[Slot] = field(default_factory=list)
    _stopping: bool = False
    _code: int = ExitCode.OK

    def run(self) -> int:
        """Until `stop`, or an end without remedy. Leaves no process behind."""
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
        """Let `run` return; safe in a signal handler."""
        self._stopping = True

    def _watch(self) -> None:
        sentinels = [slot.process.sentinel for slot in self.slots if slot.process is not None]
        wait(sentinels, timeout=0.2) if sentinels else time.sleep(0.2)
        now = time.monotonic()
        for slot in self.slots:
            if slot.process is not None and slot.process.exitcode is not None:
                self._bury(slot, slot.process.exitcode, now)
            elif slot.restart_at is not None and now >= slot.restart_at:
                self._start(slot)

    def _bury(self, slot: Slot, code: int, now: float) -> None:
        slot.ended(now, self.backoff)
        restarts = code < 0 or code not in set(ExitCode) or ExitCode(code).restarts
        if not restarts:
            log.error("worker ended for good", slot=slot.number, code=code, meaning=describe_exit(code))
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
        deadline = time.monotonic() + _GOODBYE_S
        for process in alive:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                log.error("worker does not stop and is killed", pid=process.pid)
                process.kill()
                process.join()


def slot_settings(settings: Settings, slot: int, processes: int) -> Settings:
    """A worker id that was given for the machine becomes one id per slot: two workers under one id fence each other."""
    if processes == 1 or not settings.worker_id:
        return settings
    return msgspec.structs.replace(settings, worker_id=f"{settings.worker_id}-{slot}")


def _live(entry: Entry, settings: Settings, slot: int) -> None:
    threading.Thread(target=_follow_parent, daemon=True, name="follow-parent").start()
    sys.exit(entry(settings, slot))


def _follow_parent() -> None:
    """A supervisor that is killed cannot stop its workers: they stop by themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GOODBYE_S)
        os._exit(ExitCode.OK)
