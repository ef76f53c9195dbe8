"""Faust's recovery with a bulk restore: Faust decides when to recover a partition, and this module does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import structlog
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP, AppT
from mode import Service

from triggers.agent.consumer.ownership import Ownership
from triggers.process.exits import ExitCode, Stop, crash_only
from triggers.store.restore import Restorer

log = structlog.get_logger(__name__)
T = TypeVar("T")


_HANGS_AFTER_S = 120.0
"""A restore without progress for this long hangs. One step of it waits several times less for the brokers."""


async def watch_restore(
    restoring: Coroutine[Any, Any, T], silent_s: Callable[[], float], look_every_s: float = 5.0
) -> T:
    """Returns the result of the restore. Raises Stop if it hangs; the restarted worker continues where it stopped."""
    task = asyncio.ensure_future(restoring)
    try:
        while not (await asyncio.wait({task}, timeout=look_every_s))[0]:
            if silent_s() > _HANGS_AFTER_S:
                raise Stop(ExitCode.BROKER, f"a restore has made no progress for {silent_s():.0f} s")
    finally:
        task.cancel()  # does nothing if the task is done
    return task.result()


class BulkRecovery(Recovery):
    """Restores newly assigned partitions, then lets Faust complete the recovery."""

    ownership: Ownership
    restorer: Restorer
    _opened: Mapping[int, int] = MappingProxyType({})
    """The partitions whose files Faust has opened, each with the epoch in which it was assigned."""

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Begins the recovery of a rebalance. Faust calls this when the files of all owned partitions are open.

        The Kafka thread waits meanwhile, so no later assignment is in `ownership` yet.
        """
        self._opened = self.ownership.epochs_to_restore()
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

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
        epochs = self._epochs_to_restore()
        if not epochs:
            return
        request = self.restorer.request(epochs)
        try:
            with crash_only():
                restoring = asyncio.to_thread(self.restorer.restore, request)
                done = await watch_restore(restoring, lambda: self.restorer.silent_s)
        finally:
            request.stop.set()  # a rebalance may have cancelled this; the thread must stop writing
        self.ownership.mark_restored({p: epochs[p] for p in done})

    def _epochs_to_restore(self) -> dict[int, int]:
        """Returns the partitions that are not restored and whose files are open, each with its epoch.

        While one recovery runs, Faust may open files for the next rebalance. Those files are left to the next recovery.
        """
        assigned = self.ownership.epochs_to_restore()
        return {p: epoch for p, epoch in self._opened.items() if assigned.get(p) == epoch}


class BulkTableManager(TableManager):
    """Starts tables at once and recovers them in bulk."""

    _recovery: BulkRecovery | None = None

    @property
    def recovery(self) -> BulkRecovery:
        if self._recovery is None:
            self._recovery = BulkRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """Starts the recovery at once; Faust's method sleeps for a second first."""
        await self._update_channels()
        await self.recovery.start()

    def use(self, ownership: Ownership, restorer: Restorer) -> None:
        """Sets what the recovery needs. Must be called before the first partition is assigned."""
        self.recovery.ownership = ownership
        self.recovery.restorer = restorer


class OwnedPartitions:
    """Replaces Faust's partition assignor: librdkafka assigns the partitions."""

    def __init__(self, app: AppT, replicas: int = 0) -> None:
        self._app = app
        self.replicas = replicas

    def assigned_actives(self) -> set[TP]:
        """Returns all owned partitions. Faust silently restores only partitions that are in this set."""
        return set(self._app.consumer.assignment())

    def assigned_standbys(self) -> set[TP]:
        """Returns no partition, because a bulk restore is fast enough without standbys."""
        return set()

    def is_standby(self, _: TP) -> bool:
        return False
