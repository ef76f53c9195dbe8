"""A batch carries records from the pump to the agent, and rows and outputs back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from mypy_extensions import mypyc_attr

from triggers.core.state.rows import Changes
from triggers.kafka.records import Header, Record
from triggers.telemetry.spans import Span

MAX_OUTPUT_BYTES: Final = 64 << 20
"""A batch is truncated after the event whose outputs reach this size, so that large outputs fit into memory."""


@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True)
class Output:
    """A record that the batch's transaction produces."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int
    """The partition, or -1 for the partition of the key."""
    headers: list[Header] | None
    time: int
    """Milliseconds since the epoch, or 0 for the time at which it is produced."""

    def __init__(  # noqa: PLR0917  # a compiled data class's own takes 1.7 µs
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int = -1,
        headers: list[Header] | None = None,
        time: int = 0,
    ) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.partition = partition
        self.headers = headers
        self.time = time


class Batch:
    """The records of one transaction. The agent fills `rows` and `outputs`; the pump commits them with `offsets`.

    A batch without records lets the agent publish what is due.

    A batch can take the place of one that is decided but not committed. It then has the rows and outputs of that one,
    too, and both are committed together.
    """

    __slots__ = (
        "_decided_before",
        "_full",
        "_offsets_before",
        "done",
        "is_awaited",
        "is_truncated",
        "offsets",
        "output_bytes",
        "outputs",
        "ready",
        "records",
        "rows",
        "spans",
    )

    def __init__(self, records: dict[int, list[Record]], ready: frozenset[int], before: Batch | None = None) -> None:
        """`before` is the batch whose place this one takes. It must not be used any more."""
        self._offsets_before: dict[int, int] = {} if before is None else before.offsets
        self._decided_before = 0 if before is None else before.size
        self.records = records
        """The records to decide. Those of the batch before are decided already."""
        self.ready = ready
        """Partitions that are owned and restored."""
        self.offsets: dict[int, int] = dict(self._offsets_before)
        """Partition -> offset of the next record to read."""
        for partition, fetched in records.items():
            self.offsets[partition] = next_offset(fetched[-1])
        self.rows: dict[int, Changes] = {} if before is None else before.rows
        self.outputs: list[Output] = [] if before is None else before.outputs
        self.is_awaited = True
        """False if nobody waits for the batch's transaction: it has no outputs but those of the decision feed."""
        self.spans: list[Span] = [] if before is None else before.spans
        """Spans to export after the commit."""
        self.output_bytes: int = 0 if before is None else before.output_bytes
        """Bytes of the outputs that events have caused so far."""
        self.is_truncated = False
        """True if some of the records were not decided. The next batch must be read from `offsets`."""
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
        self.is_truncated = True
        self.records[partition] = records[:decided]
        if decided:
            self.offsets[partition] = next_offset(records[decided - 1])
        elif partition in self._offsets_before:
            self.offsets[partition] = self._offsets_before[partition]
        else:
            del self.offsets[partition]

    def add_rows(self, partition: int, changes: Changes) -> None:
        """Adds changed rows of a partition."""
        rows = self.rows.get(partition)
        if rows is None:
            self.rows[partition] = changes
        else:
            rows.update(changes)

    @property
    def size(self) -> int:
        """Returns the number of consumed records, those of the batch before included."""
        return self._decided_before + sum(map(len, self.records.values()))

    @property
    def is_empty(self) -> bool:
        """Returns whether there is nothing to commit."""
        return not (self.offsets or self.outputs or self.rows)


def next_offset(record: Record) -> int:
    """Returns the offset to commit once this record is processed."""
    offset = record.offset()
    return 0 if offset is None else offset + 1
