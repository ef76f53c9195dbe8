"""Faust's recovery with a bulk restore inside: when to recover is Faust's business, how is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from threading import Event
from typing import Any, TypeVar

import structlog
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP, AppT
from mode import Service

from triggers.commit.ownership import Ownership
from triggers.process.exits import ExitCode, Stop, crash_only
from triggers.table.restore import Restorer

log = structlog.get_logger(__name__)
T = TypeVar("T")


_HANGS_AFTER_S = 120.0
"""Several times what one step of a restore may wait for the brokers."""


async def watch_restore(
    restoring: Coroutine[Any, Any, T], silent_s: Callable[[], float], look_every_s: float = 5.0
) -> T:
    """What the restore returns. Raises Stop when it hangs: the restarted worker goes on where it was."""
    task = asyncio.ensure_future(restoring)
    try:
        while not (await asyncio.wait({task}, timeout=look_every_s))[0]:
            if silent_s() > _HANGS_AFTER_S:
                raise Stop(ExitCode.BROKER, f"a restore has not moved for {silent_s():.0f} s")
    finally:
        task.cancel()  # when it is done, nothing happens
    return task.result()


class BulkRecovery(Recovery):
    """Restores what was newly assigned, then lets Faust declare the recovery complete."""

    ownership: Ownership
    restorer: Restorer

    @Service.task
    async def _restart_recovery(self) -> None:
        while not await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]  # mode's annotation
            self.signal_recovery_start.clear()
            generation = self._generation_id
            try:
                self._set_recovery_started()
                await self._wait(self._restore())
                await self._wait(self.on_recovery_completed(generation))
            except RebalanceAgain:
                continue
            except ServiceStopped:
                return

    async def _restore(self) -> None:
        epochs = self.ownership.epochs_to_recover()
        if not epochs:
            return
        stop = Event()
        try:
            with crash_only():
                restoring = asyncio.to_thread(self.restorer.restore, sorted(epochs), stop)
                done = await watch_restore(restoring, lambda: self.restorer.silent_s)
        finally:
            stop.set()  # cancelled by another rebalance: the thread must not write on
        self.ownership.mark_recovered({p: epochs[p] for p in done})


class BulkTableManager(TableManager):
    """Starts tables at once and recovers them in bulk."""

    _recovery: BulkRecovery | None = None

    @property
    def recovery(self) -> BulkRecovery:
        """See `TableManager`."""
        if self._recovery is None:
            self._recovery = BulkRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """See `TableManager`, which sleeps a second first."""
        await self._update_channels()
        await self.recovery.start()

    def use(self, ownership: Ownership, restorer: Restorer) -> None:
        """Give the recovery what it needs; before the first partition is assigned."""
        self.recovery.ownership = ownership
        self.recovery.restorer = restorer


class OwnedPartitions:
    """Stands in for Faust's assignor, which librdkafka's group does not run."""

    def __init__(self, app: AppT, replicas: int = 0) -> None:
        self._app = app
        self.replicas = replicas

    def assigned_actives(self) -> set[TP]:
        """What this worker owns. Without it Faust restores nothing and says nothing."""
        return set(self._app.consumer.assignment())

    def assigned_standbys(self) -> set[TP]:
        """None: bulk restore is fast."""
        return set()

    def is_standby(self, tp: TP) -> bool:  # noqa: ARG002  # Faust's interface
        """Never."""
        return False
