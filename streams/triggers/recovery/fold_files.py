"""Temporary RocksDB files for the rows of a fold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from triggers.core.state.plans import Plans
from triggers.recovery.folded_partition import FoldedPartition
from triggers.store.partition_rows import PartitionRows

_NO_TOPIC = "fold"
"""Stands where the files of a worker have the id of their changelog."""

_CACHED_SESSIONS = 20_000
"""Number of decoded sessions in memory, for all partitions together. They take some 5 KB each."""


@contextmanager
def temporary_rows(name: str) -> Iterator[PartitionRows]:
    """Returns an empty file in the folder for temporary files (TMPDIR), and removes it at the end."""
    with TemporaryDirectory(prefix="triggers-fold-") as folder:
        rows = PartitionRows(Path(folder, name), _NO_TOPIC)
        try:
            yield rows
        finally:
            rows.close()


@contextmanager
def folded_partitions(partitions: int) -> Iterator[list[FoldedPartition]]:
    """Returns that many empty partitions, and removes their files at the end."""
    plans = Plans()
    cached = _CACHED_SESSIONS // max(partitions, 1)
    with ExitStack() as stack:
        files = [stack.enter_context(temporary_rows(str(number))) for number in range(partitions)]
        yield [FoldedPartition(rows, plans, cached) for rows in files]
