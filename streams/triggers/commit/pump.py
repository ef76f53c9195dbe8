"""The pump: fetch a batch, let the agent decide it, commit it, again; a full one is committed beside the next decision.

Every Kafka call runs on one thread: confluent-kafka blocks for seconds when a consumer is called from another thread
than the one that polls it. So rebalances happen in a fetch only, when at most one batch is decided and not committed;
if one of its partitions is lost then, it is thrown away and read again, as after an aborted transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import structlog

from triggers.agent.batch import Batch, Processor
from triggers.commit.member import Member
from triggers.commit.progress import Progress
from triggers.commit.transaction import Aborted, Transactions
from triggers.errors import TryAgain
from triggers.process.exits import ExitCode, Stop
from triggers.table.partition_rows import PartitionRows
from triggers.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")

_RETRY_PAUSE_S = 1.0
_LAG_EVERY_S = 1.0


class Pump:
    """Moves batches from the group's member through the agent into a transaction and RocksDB."""

    def __init__(  # noqa: PLR0913  # everything the pump joins
        self,
        *,
        member: Member,
        transactions: Transactions,
        processor: Processor,
        hand_over: Callable[[Batch], Awaitable[None]],
        rows_of: Callable[[int], PartitionRows],
        progress: Progress,
        metrics: Metrics,
        max_records: int,
        idle_s: float,
        patience_s: float,
    ) -> None:
        self._member = member
        self._transactions = transactions
        self._processor = processor
        self._hand_over = hand_over
        self._rows_of = rows_of
        self._progress = progress
        self._metrics = metrics
        self._max_records = max_records
        self._idle_s = idle_s
        self._patience_s = patience_s
        self._thread = ThreadPoolExecutor(1, "kafka")
        self._ready: frozenset[int] = frozenset()
        self._decided: Batch | None = None
        """Decided, not committed; the next batch is decided on top of it."""
        self._stopping = False
        self._stopped = asyncio.Event()
        self._lag_at = 0.0

    async def run(self) -> None:
        """Join the group and work until `leave`. Raises whatever cannot be waited out: the process must end."""
        await self._on_kafka_thread(
            self._member.join_group
        )  # first: others take who has transactions and is no member for dead
        await self._on_kafka_thread(self._transactions.fence_and_start)
        while not self._stopping:
            await self._run_turn()
        await self._commit_last()
        await self._on_kafka_thread(self._member.leave_group)
        self._stopped.set()

    async def stop(self) -> None:
        """Finish the batches in flight and leave the group. Returns when both are done."""
        self._stopping = True
        await self._stopped.wait()

    async def _run_turn(self) -> None:
        before, self._decided = self._decided, None
        try:
            decided = await self._decide_while_committing(before, await self._fetch(before))
            if decided is not None and decided.size >= self._max_records and not decided.truncated:
                self._decided = decided  # more is waiting behind it
            elif decided is not None:
                await self._commit(decided)
        except Aborted as aborted:
            await self._fetch_again(str(aborted))
        except TryAgain as error:
            log.warning("batch waits", reason=str(error))
            await self._fetch_again(type(error).__name__)
            await asyncio.sleep(_RETRY_PAUSE_S)

    async def _fetch(self, before: Batch | None) -> Batch:
        """The next records. Waits for one only when nothing is to be committed. Raises Aborted."""
        idle_s = self._idle_s if before is None else 0
        records = await self._on_kafka_thread(lambda: self._member.fetch(self._max_records, idle_s))
        self._follow_assignment(self._member.consuming)
        if before is not None and not before.offsets.keys() <= self._member.consuming:
            raise Aborted("PARTITIONS_LOST")
        return Batch(records, self._member.consuming, self._processor)

    async def _decide_while_committing(self, before: Batch | None, batch: Batch) -> Batch | None:
        """Decide a batch while the one before is committed; None: there is nothing to commit of it."""
        if before is None:
            return await self._decide(batch)
        committing = asyncio.ensure_future(self._commit(before))
        try:
            return await self._decide(batch) if batch.records else None
        finally:
            await committing

    async def _commit_last(self) -> None:
        """What is decided when nothing is fetched any more; refused, it is the next owner's to read."""
        if self._decided is not None:
            with suppress(Aborted):
                await self._commit(self._decided)

    def _follow_assignment(self, ready: frozenset[int]) -> None:
        self._progress.record_turn()
        if ready != self._ready:
            self._ready = ready
            self._progress.replace_partitions({p: self._member.committed[p] for p in ready})

    async def _decide(self, batch: Batch) -> Batch | None:
        await self._hand_over(batch)
        await batch.done
        if not batch.records:
            await self._add_idle_offsets(batch)
        return None if batch.empty else batch

    async def _add_idle_offsets(self, batch: Batch) -> None:
        """Offsets for a batch without records; there is none before it that is not committed."""
        if batch.outputs:  # the group's generation fences a transaction only through offsets
            batch.offsets.update({p: self._member.committed[p] for p in batch.ready})
        batch.offsets.update(await self._on_kafka_thread(self._idle_offsets))

    def _idle_offsets(self) -> dict[int, int]:
        if time.monotonic() - self._lag_at > _LAG_EVERY_S:
            self._measure_lag()
        return self._member.offsets_past_markers()

    def _measure_lag(self) -> None:
        self._lag_at = time.monotonic()
        self._metrics.lag.clear()
        for partition, lag in self._member.lag().items():
            self._metrics.lag.labels(partition).set(lag)

    async def _commit(self, batch: Batch) -> None:
        with self._metrics.transaction_seconds.time():
            await self._on_kafka_thread(lambda: self._commit_and_write(batch))
        self._progress.advance(batch.offsets)
        if batch.records:
            self._metrics.batch_size.observe(batch.size)

    def _commit_and_write(self, batch: Batch) -> None:
        reached = self._transactions.commit(batch, self._member.group_metadata())
        for partition, rows in batch.rows.items():
            if rows:
                self._rows_of(partition).write(rows, reached.get(partition))
        self._member.committed.update(batch.offsets)
        if batch.truncated:
            self._member.rewind()
        if time.monotonic() - self._lag_at > _LAG_EVERY_S:
            self._measure_lag()

    async def _fetch_again(self, reason: str) -> None:
        self._metrics.aborted_transactions.labels(reason).inc()
        self._processor.forget()
        await self._on_kafka_thread(self._rewind)

    def _rewind(self) -> None:
        """The lag is measured here too: nothing else does it while every batch is refused."""
        self._measure_lag()
        self._member.rewind()

    async def _on_kafka_thread(self, call: Callable[[], T]) -> T:
        """Run it on the Kafka thread. Raises Stop when it outlasts everything it may wait for: it hangs."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, call)
        try:
            return await asyncio.wait_for(running, self._patience_s)
        except TimeoutError as error:
            raise Stop(ExitCode.BROKER, f"a call to Kafka takes longer than {self._patience_s:.0f} s") from error
