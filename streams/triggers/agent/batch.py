"""A batch carries records from the pump to the agent, and rows and outputs back."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from triggers.agent.records import Output, next_offset
from triggers.core.state.rows import Changes
from triggers.kafka.records import Record
from triggers.telemetry.spans import Span

MAX_OUTPUT_BYTES: Final = 64 << 20
"""A batch is truncated after the event whose outputs reach this size, so that large outputs fit into memory."""


class Batch:
    """The records of one transaction. The agent fills `rows` and `outputs`; the pump commits them with `offsets`.

    A batch without records lets the agent publish what is due.
    """

    __slots__ = (
        "_full",
        "done",
        "offsets",
        "output_bytes",
        "outputs",
        "ready",
        "records",
        "rows",
        "spans",
        "truncated",
    )

    def __init__(self, records: dict[int, list[Record]], ready: frozenset[int]) -> None:
        self.records = records
        self.ready = ready
        """Partitions that are owned and restored."""
        self.offsets: dict[int, int] = {p: next_offset(fetched[-1]) for p, fetched in records.items()}
        """Partition -> offset of the next record to read."""
        self.rows: dict[int, Changes] = {}
        self.outputs: list[Output] = []
        self.spans: list[Span] = []
        """Spans to export after the commit."""
        self.output_bytes = 0
        """Bytes of the outputs that events have caused so far."""
        self.truncated = False
        """True if some of the records were left out. The next batch must be read from `offsets`."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._full = False

    def take_no_more(self) -> None:
        """Makes the batch full, so that it is truncated after the event that is being decided."""
        self._full = True

    @property
    def is_full(self) -> bool:
        """Returns whether no more records should be decided."""
        return self._full or self.output_bytes >= MAX_OUTPUT_BYTES

    def truncate(self, partition: int, decided: int) -> None:
        """Keeps the first `decided` records of the partition. The others are read again."""
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
        """Returns the number of consumed records."""
        return sum(map(len, self.records.values()))

    @property
    def is_empty(self) -> bool:
        """Returns whether there is nothing to commit."""
        return not (self.offsets or self.outputs or self.rows)


class Processor(Protocol):
    """Turns the records of a batch into rows and outputs. It is called on the event loop, one batch at a time."""

    def process(self, batch: Batch) -> None:
        """Fills the batch. Blocks while it decides.

        Raises TryAgain if the batch must be decided later. Any other exception ends the process; nothing is skipped.
        """

    def forget(self, partitions: frozenset[int] | None = None) -> None:
        """Drops the state of revoked partitions, or of all partitions if None (the transaction was aborted)."""

    def export_spans(self, batch: Batch) -> None:
        """Exports the spans of a batch that is committed. Does not block."""


def process_batch(batch: Batch, processor: Processor) -> None:
    """Lets the processor fill the batch, and completes `done`, if need be with the exception that was raised.

    Called by the Faust agent.
    """
    try:
        processor.process(batch)
    except Exception as error:  # noqa: BLE001  # the pump ends the process or fetches again
        batch.done.set_exception(error)
    else:
        batch.done.set_result(None)
