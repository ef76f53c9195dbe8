"""A pump between a member and transactions that the test controls."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from pathlib import Path
from typing import cast

from confluent_kafka import KafkaError
from tests.support.decider import Decider
from tests.support.records import fire

from triggers.agent.consumer.member import Member
from triggers.agent.consumer.processor import process_batch
from triggers.agent.consumer.progress import Progress
from triggers.agent.consumer.pump import Pump
from triggers.kafka.records import Record
from triggers.settings import Settings
from triggers.store.batch import Batch
from triggers.store.partition_rows import PartitionRows, open_rows
from triggers.store.transaction import Aborted, TooLargeForTopic, Transactions
from triggers.telemetry.metrics import Metrics

WAIT_S = 10
IDLE_S = 0.01


class Feed:
    """A member whose fetches the test chooses. `None` loses partition 1, and no more fetches end the test."""

    def __init__(self, *fetches: dict[int, list[Record]] | None) -> None:
        self._fetches = deque(fetches)
        self.consuming = frozenset({0, 1})
        self.committed = {0: 0, 1: 0}
        self.rewound = 0
        self.left = False
        self.waits: list[tuple[float, float]] = []
        """How long, and until when, each fetch may wait."""
        self.empty = threading.Event()

    def join_group(self) -> None: ...

    def leave_group(self) -> None:
        self.left = True

    def fetch(self, max_records: int, idle_s: float, not_before: float = 0.0) -> dict[int, list[Record]]:
        assert max_records > 0
        self.waits.append((idle_s, not_before))
        if not self._fetches:
            self.empty.set()
            threading.Event().wait(min(idle_s, IDLE_S))
            return {}
        found = self._fetches.popleft()
        if found is None:
            self.consuming = frozenset({0})
            found = {}
        return found

    def rewind(self) -> None:
        self.rewound += 1

    def offsets_past_markers(self) -> dict[int, int]:
        return {}

    def lag(self) -> dict[int, int]:
        return {}

    def group_metadata(self) -> object:
        return None


class Journal:
    """Transactions that are recorded. `refused` ones are aborted, and the test can delay each."""

    def __init__(self, *, refused: int = 0, is_too_large: bool = False) -> None:
        """With `is_too_large`, they are refused because a record is too large for its topic."""
        self._is_too_large = is_too_large
        self.committed: list[dict[int, int]] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self._refused = refused

    def fence_and_start(self) -> None: ...

    def commit(self, batch: Batch, group: object) -> dict[int, int]:  # noqa: ARG002
        self.begun.set()
        assert self.go_on.wait(WAIT_S)
        if self._refused:
            self._refused -= 1
            if self._is_too_large:
                raise TooLargeForTopic(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), batch)
            raise Aborted("REFUSED")
        self.committed.append(batch.offsets)
        return {0: 7}


class Setting:
    """A pump between these neighbours. With `max_records` = 1, every batch is full."""

    def __init__(
        self,
        feed: Feed,
        journal: Journal,
        folder: Path,
        max_records: int = 1,
        *,
        interval_s: float = 0,
        linger_s: float = 0,
    ) -> None:
        self.linger_s = linger_s
        self.feed, self.journal, self.decider = feed, journal, Decider()
        self.refused: list[TooLargeForTopic] = []
        self.rows: PartitionRows = open_rows(folder, "id", 0)
        self.pump = Pump(
            member=cast("Member", feed),
            transactions=cast("Transactions", journal),
            processor=self.decider,
            hand_over=self._hand_over,
            rows_of=lambda _partition: self.rows,
            progress=Progress(),
            metrics=Metrics(),
            settings=Settings(
                brokers="",
                idle_poll_s=IDLE_S,
                transaction_interval_s=interval_s,
                transaction_linger_s=linger_s,
                max_batch_records=max_records,
            ),
            patience_s=WAIT_S,
            on_too_large=self._record_refusal,
        )

    async def _record_refusal(self, refused: TooLargeForTopic) -> None:
        self.refused.append(refused)

    async def _hand_over(self, batch: Batch) -> None:
        process_batch(batch, self.decider)

    async def run(self) -> None:
        """Runs the pump until everything is fetched and committed."""
        running = asyncio.create_task(self.pump.run())
        assert await asyncio.to_thread(self.feed.empty.wait, WAIT_S)
        await self.pump.stop()
        await running
        self.rows.close()


def at(offset: int, partition: int = 0) -> dict[int, list[Record]]:
    return {partition: [fire("a", offset=offset)]}
