"""Reads the rows of a changelog without a worker."""

from __future__ import annotations

from typing import Final

from triggers.core.state.rows import Changes
from triggers.kafka.range_reads import read_range, watermarks
from triggers.settings import Settings
from triggers.store.partition_rows import PartitionRows
from triggers.topology import Topology

_COPIED_TOGETHER: Final = 2_000


def read_changelog(settings: Settings, names: Topology, partition: int, rows: PartitionRows) -> None:
    """Copies the rows that a partition of the changelog has now into a file."""
    changes: Changes = {}
    starts = {partition: watermarks(settings, names.changelog, [partition])[partition][0]}
    for message in read_range(settings, names.changelog, starts):
        changes[message.key() or b""] = message.value()
        if len(changes) >= _COPIED_TOGETHER:
            rows.write(changes, None)
            changes = {}
    rows.write(changes, None)
