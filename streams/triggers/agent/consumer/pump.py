"""The pump fetches a batch, lets the agent decide it and commits it.

While a full batch is committed, the next one is decided. A batch that nobody waits for, such as one of results that
cause no commands, is kept for a moment and committed with the next one (`Pace`).

Every call of the consumer and of the transactional producer runs on one thread, because confluent-kafka blocks for
seconds if a consumer is called from another thread than the one that polls it. So rebalances happen only in a fetch,
when at most one batch is decided and not committed. If the worker loses a partition of that batch, the batch is dropped
and fetched again, as after an aborted transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import structlog

from triggers.agent.consumer.member import Member
from triggers.agent.consumer.pace import Pace
from triggers.agent.consumer.processor import Processor
from triggers.agent.consumer.progress import Progress
from triggers.errors import TryAgain
from triggers.kafka.records import Record
from triggers.process.exits import ExitCode, Stop
from triggers.settings import Settings
from triggers.store.batch import Batch
from triggers.store.partition_rows import PartitionRows
from triggers.store.transaction import Aborted, TooLargeForTopic, Transactions
from triggers.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")

_RETRY_PAUSE_S = 1.0
_LAG_EVERY_S = 1.0


class Pump:
    """Moves batches from the group's member through the agent into a transaction and RocksDB."""

    def __init__(
        self,
        *,
        member: Member,
        transactions: Transactions,
        processor: Processor,
        hand_over: Callable[[Batch], Awaitable[None]],
        rows_of: Callable[[int], PartitionRows],
        progress: Progress,
        metrics: Metrics,
        settings: Settings,
        patience_s: float,
        on_too_large: Callable[[TooLargeForTopic], Awaitable[None]],
    ) -> None:
        """`on_too_large` is awaited, while no batch is in progress, after a topic has refused a record of a batch."""
        self._member = member
        self._transactions = transactions
        self._processor = processor
        self._hand_over = hand_over
        self._rows_of = rows_of
        self._progress = progress
        self._metrics = metrics
        self._pace = Pace(
            idle_s=settings.idle_poll_s,
            interval_s=settings.transaction_interval_s,
            linger_s=settings.transaction_linger_s,
        )
        self._max_records = settings.max_batch_records
        self._patience_s = patience_s
        self._on_too_large = on_too_large
        self._thread = ThreadPoolExecutor(1, "kafka")
        self._ready: frozenset[int] = frozenset()
        self._decided: Batch | None = None
        """The batch that is decided but not committed: a full one, or one that is kept. The next one follows it."""
        self._stopping = False
        self._stopped = asyncio.Event()
        self._lag_at = 0.0

    async def run(self) -> None:
        """Joins the group and processes batches until `stop`. Any exception is permanent: the process must end."""
        # Join before the first transaction: other workers abort the transactions of anyone who is not a group member.
        await self._on_kafka_thread(self._member.join_group)
        await self._on_kafka_thread(self._transactions.fence_and_start)
        while not self._stopping:
            await self._run_cycle()
        await self._commit_last()
        await self._on_kafka_thread(self._member.leave_group)
        self._stopped.set()

    async def stop(self) -> None:
        """Finishes the batches in flight and leaves the group. Returns when both are done."""
        self._stopping = True
        await self._stopped.wait()

    async def _run_cycle(self) -> None:
        before, self._decided = self._decided, None
        try:
            if before is None or self._is_full(before):
                decided = await self._decide_while_committing(before, await self._fetch(before))
            else:
                decided = await self._extend(before)
            if decided is not None and (self._is_full(decided) or self._keep_unawaited(decided)):
                self._decided = decided
            elif decided is not None:
                await self._commit(decided)
        except TooLargeForTopic as refused:
            await self._on_too_large(refused)
            await self._fetch_again(str(refused))
            await asyncio.sleep(_RETRY_PAUSE_S)
        except Aborted as aborted:
            await self._fetch_again(str(aborted))
        except TryAgain as error:
            log.warning("batch cannot be decided yet; trying again", reason=str(error))
            await self._fetch_again(type(error).__name__)
            await asyncio.sleep(_RETRY_PAUSE_S)

    def _is_full(self, batch: Batch) -> bool:
        """Returns whether a decided batch has as many records as it may, so that more are probably waiting."""
        return batch.size >= self._max_records and not batch.is_truncated

    def _keep_unawaited(self, batch: Batch) -> bool:
        """Keeps a decided batch for a moment if nobody waits for it. Returns whether it is kept."""
        if batch.is_awaited or batch.is_truncated or not batch.records:
            return False
        now = time.monotonic()
        self._pace.keep(now)
        return self._pace.remaining_s(now) > 0

    async def _fetch(self, before: Batch | None) -> dict[int, list[Record]]:
        """Fetches the next records. Does not wait for the first one while a full batch waits to be committed.

        Raises Aborted if a partition of the decided batch was lost.
        """
        idle_s, not_before, max_records = self._pace.idle_s, self._pace.earliest, self._max_records
        if before is not None and self._is_full(before):
            idle_s, not_before = 0.0, 0.0
        elif before is not None:
            idle_s, max_records = self._pace.remaining_s(time.monotonic()), max_records - before.size
        records = await self._on_kafka_thread(lambda: self._member.fetch(max_records, idle_s, not_before))
        self._follow_assignment(self._member.consuming)
        if before is not None and not before.offsets.keys() <= self._member.consuming:
            raise Aborted("PARTITIONS_LOST")
        return records

    async def _extend(self, kept: Batch) -> Batch:
        """Decides the records that arrive while a batch is kept. Returns the batch that takes its place."""
        records = await self._fetch(kept)
        if not records:
            return kept
        batch = Batch(records, self._member.consuming, kept)
        await self._hand_over(batch)
        await batch.done
        return batch

    async def _decide_while_committing(self, before: Batch | None, records: dict[int, list[Record]]) -> Batch | None:
        """Decides a batch while the one before it is committed. Returns None if it leaves nothing to commit."""
        batch = Batch(records, self._member.consuming)
        if before is None:
            return await self._decide(batch)
        committing = asyncio.ensure_future(self._commit(before))
        try:
            return await self._decide(batch) if batch.records else None
        finally:
            await committing

    async def _commit_last(self) -> None:
        """Commits the last decided batch. If that is aborted, the partitions' next owner reads its records again."""
        if self._decided is not None:
            with suppress(Aborted):
                await self._commit(self._decided)

    def _follow_assignment(self, ready: frozenset[int]) -> None:
        self._progress.record_cycle()
        if ready != self._ready:
            self._ready = ready
            self._progress.replace_partitions({p: self._member.committed[p] for p in ready})

    async def _decide(self, batch: Batch) -> Batch | None:
        await self._hand_over(batch)
        await batch.done
        if not batch.records:
            await self._add_idle_offsets(batch)
        return None if batch.is_empty else batch

    async def _add_idle_offsets(self, batch: Batch) -> None:
        """Adds offsets to a batch without records. Every batch before it must be committed."""
        if batch.outputs or batch.rows:  # only a transaction with offsets is fenced by the group's generation
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
        self._pace.begin_transaction(time.monotonic())
        with self._metrics.transaction_seconds.time():
            await self._on_kafka_thread(lambda: self._commit_and_write(batch))
        self._progress.advance(batch.offsets)
        if batch.records:
            self._metrics.batch_size.observe(batch.size)
        if batch.spans:
            self._processor.export_spans(batch)

    def _commit_and_write(self, batch: Batch) -> None:
        reached = self._transactions.commit(batch, self._member.group_metadata())
        for partition, rows in batch.rows.items():
            if rows:
                self._rows_of(partition).write(rows, reached.get(partition))
        self._member.committed.update(batch.offsets)
        if batch.is_truncated:
            self._member.rewind()
        if time.monotonic() - self._lag_at > _LAG_EVERY_S:
            self._measure_lag()

    async def _fetch_again(self, reason: str) -> None:
        self._metrics.aborted_transactions.labels(reason).inc()
        self._pace.drop()
        self._processor.forget()
        await self._on_kafka_thread(self._rewind)

    def _rewind(self) -> None:
        """Rewinds the member and measures the lag, which nothing else does while every batch is refused."""
        self._measure_lag()
        self._member.rewind()

    async def _on_kafka_thread(self, call: Callable[[], T]) -> T:
        """Runs the call on the Kafka thread. Raises Stop if it hangs: no call may wait that long for the brokers."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, call)
        try:
            return await asyncio.wait_for(running, self._patience_s)
        except TimeoutError as error:
            raise Stop(ExitCode.BROKER, f"a Kafka call has not returned within {self._patience_s:.0f} s") from error
