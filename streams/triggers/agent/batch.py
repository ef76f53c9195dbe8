"""What travels between the transport and the agent: records in, rows and outputs out."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from triggers.agent.records import Output, next_offset
from triggers.core.state.rows import Changes
from triggers.kafka.records import Record

MAX_OUTPUT_BYTES: Final = 64 << 20
"""A batch is cut after the event whose commands reach it: a thousand large ones would not fit into any memory."""


class Batch:
    """Records of one transaction. The agent fills `rows` and `outputs`; the transport commits them with `offsets`.

    A batch without records is a tick: it gives the agent the chance to publish what is due.
    """

    __slots__ = ("_processor", "done", "offsets", "output_bytes", "outputs", "ready", "records", "rows", "truncated")

    def __init__(self, records: dict[int, list[Record]], ready: frozenset[int], processor: Processor) -> None:
        self.records = records
        self.ready = ready
        """Partitions that are owned and recovered."""
        self.offsets: dict[int, int] = {p: next_offset(found[-1]) for p, found in records.items()}
        """Partition -> offset of the next record to read."""
        self.rows: dict[int, Changes] = {}
        self.outputs: list[Output] = []
        self.output_bytes = 0
        """Of the outputs that events have caused so far."""
        self.truncated = False
        """Some of its records are left to the next one, which must be read from `offsets`."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._processor = processor

    def process(self) -> None:
        """Let the processor fill the batch; `done` gets what it raises. Called by the Faust agent."""
        try:
            self._processor.process(self)
        except Exception as error:  # noqa: BLE001  # the pump ends the process or reads again
            self.done.set_exception(error)
        else:
            self.done.set_result(None)

    @property
    def is_full(self) -> bool:
        """Whether it causes enough; no more of its records should be decided."""
        return self.output_bytes >= MAX_OUTPUT_BYTES

    def truncate(self, partition: int, decided: int) -> None:
        """Only so many of the partition's records are decided; the others are read again."""
        records = self.records[partition]
        if decided == len(records):
            return
        self.truncated = True
        self.records[partition] = records[:decided]
        if decided:
            self.offsets[partition] = next_offset(records[decided - 1])
        else:
            del self.offsets[partition]

    @property
    def size(self) -> int:
        """Number of consumed records."""
        return sum(map(len, self.records.values()))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.offsets or self.outputs)


class Processor(Protocol):
    """Turns the records of a batch into rows and outputs. Called on the event loop, one batch at a time."""

    def process(self, batch: Batch) -> None:
        """Fill the batch. Raises `Stop`, or anything else for a bug: the process ends then, nothing is skipped."""

    def forget(self, partitions: frozenset[int] | None = None) -> None:
        """Drop what is remembered of these partitions (revoked), or of all of them (the transaction was aborted)."""
