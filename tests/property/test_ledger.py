"""No command is lost by crashes, rebalances, gaps, lost commits or a client that skips records; commits stay small."""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from dataclasses import dataclass, field

import pytest

from triggers.celery.ledger import MAX_METADATA_BYTES, Ledger

SEEDS = 2000
CHUNKS = 16


@dataclass
class Partition:
    """A log with gaps, and the group's committed offset and metadata."""

    offsets: list[int]
    end: int
    committed: tuple[int, str | None] = (0, None)
    finished: set[int] = field(default_factory=set)
    runs: dict[int, int] = field(default_factory=dict)
    longest_metadata: int = 0

    def commit(self, ledger: Ledger, *, handover: bool = False) -> None:
        checkpoint = ledger.checkpoint(handover=handover)
        if checkpoint is not None:
            self.longest_metadata = max(self.longest_metadata, len(checkpoint.metadata.encode()))
            json.loads(checkpoint.metadata)
            self.committed = checkpoint


class Holder:
    """A worker that owns the partition for a while."""

    def __init__(self, partition: Partition, chance: random.Random) -> None:
        self.partition, self.chance = partition, chance
        self.ledger = Ledger(*partition.committed)
        self.next = partition.committed[0]
        self.running: list[int] = []

    def step(self) -> None:
        action = self.chance.choice([self.read, self.finish, self.finish, self.commit, self.prove, self.skip])
        action()

    def read(self) -> None:
        """Reads some records as a reader does. At the end of the log, skips the transaction markers too."""
        place = bisect_left(self.partition.offsets, self.next)
        ready = self.partition.offsets[place : place + self.chance.choice([5, 40, 400])]
        for offset in ready:
            self.next = offset + 1
            if not self.ledger.accept(offset):
                is_known = offset in self.partition.finished or offset in self.ledger.pending
                assert is_known, f"the ledger takes {offset} for finished"
                continue
            if self.ledger.is_suspect(offset):
                self.ledger.count_run(offset)
            self.running.append(offset)
        if not ready:
            self.next = self.partition.end
            self.ledger.skip_to(self.partition.end)

    def skip(self) -> None:
        """The client silently skips records."""
        if self.chance.random() < 0.2 and self.next < self.partition.end:
            self.next = min(self.next + self.chance.choice([1, 5, 500]), self.partition.end - 1)

    def prove(self) -> None:
        """A second reader looks into the gaps: closes those without records, and reads again from one with records."""
        for first, end in self.ledger.gaps:
            i = bisect_left(self.partition.offsets, first)
            if i < len(self.partition.offsets) and self.partition.offsets[i] < end:
                self.next = first
                return
            self.ledger.close_gap((first, end))

    def finish(self) -> None:
        """Finishes some of the running commands, in any order."""
        self.chance.shuffle(self.running)
        for _ in range(self.chance.randint(0, len(self.running))):
            offset = self.running.pop()
            self.partition.finished.add(offset)
            self.partition.runs[offset] = self.partition.runs.get(offset, 0) + 1
            self.ledger.settle(offset)

    def commit(self) -> None:
        """Commits, but the commit may be lost."""
        if self.chance.random() < 0.8:
            self.partition.commit(self.ledger)

    def leave(self) -> None:
        """Gives the partition up, orderly or not. Tasks of a lost partition still run to their end."""
        end = self.chance.choice(["crash", "handover", "lost"])
        if end == "handover":
            self.partition.commit(self.ledger, handover=True)
        if end != "crash":
            self.finish()


def _partition(chance: random.Random) -> Partition:
    """Creates a partition with small and large gaps, as transaction markers and compaction leave them."""
    offsets, offset = [], chance.randint(0, 3) * 10**9
    for _ in range(chance.randint(1, 600)):
        offset += chance.choice([1, 1, 1, 1, 2, 3, chance.choice([1, 500, 10**7])])
        offsets.append(offset)
    return Partition(offsets, offset + 1 + chance.randint(0, 2), committed=(chance.choice([0, offsets[0]]), None))


def _live(seed: int) -> Partition:
    chance = random.Random(seed)  # noqa: S311  # repeatable
    partition = _partition(chance)
    for _ in range(chance.randint(1, 12)):
        holder = Holder(partition, chance)
        for _ in range(chance.randint(0, 30)):
            holder.step()
        holder.leave()
    last = Holder(partition, chance)
    while last.next < partition.end or last.running or last.ledger.gaps:
        last.step()
    partition.commit(last.ledger, handover=True)
    return partition


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nothing_is_lost_and_the_end_is_reached(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        partition = _live(seed)

        assert partition.finished == set(partition.offsets), f"seed {seed}"
        assert partition.committed[0] == partition.end, f"seed {seed}"
        assert partition.longest_metadata <= MAX_METADATA_BYTES, f"seed {seed}"


def test_a_fragmented_partition_after_a_long_task_still_fits_into_a_commit() -> None:
    start = 10**10
    ledger, offsets = Ledger(start), range(start, start + 10**10, 10**7)
    for offset in offsets:
        ledger.accept(offset)
        ledger.count_run(offset)
    for offset in offsets[1::2]:
        ledger.settle(offset)

    checkpoint = ledger.checkpoint()

    assert checkpoint is not None
    assert checkpoint.offset == start
    assert 1500 < len(checkpoint.metadata.encode()) <= MAX_METADATA_BYTES
    again = Ledger(*checkpoint)
    assert [offset for offset in offsets[:200] if again.accept(offset)] == list(offsets[:200:2])
    assert {offset for offset in offsets[200:] if again.accept(offset)} >= set(offsets[200::2])
