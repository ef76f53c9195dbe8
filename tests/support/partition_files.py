"""The RocksDB files of stopped workers."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tests.support.fold_oracle import differing, fold_events
from tests.support.worker_process import WorkerProcess

from triggers.processing.partition_rows import OFFSET_KEY, STAMP_KEY, PartitionRows
from triggers.settings import Settings


def assert_files_equal_fold(settings: Settings, *workers: WorkerProcess) -> None:
    """The RocksDB of stopped workers, partition by partition, against the fold."""
    expected = fold_events(settings).rows
    for worker, partitions in ((w, w.partitions()) for w in workers):
        worker.terminate()
        actual = {p: rows_of_partition(worker.data, p) for p in partitions}
        assert differing(actual, {p: expected[p] for p in partitions}) == []


def scratch(file: Path) -> None:
    """Turn bytes in the middle of a file into others."""
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20] = bytes(20)
    file.write_bytes(content)


def reached_by(folder: Path, partition: int) -> int:
    """Last changelog offset in the file of a stopped worker; -1: none, no file, or one that cannot be opened.

    A worker rebuilds what it cannot open before it owns the partition, so such a file belongs to nobody.
    """
    for path in folder.glob(f"**/*-{partition}.db"):
        with suppress(Exception):  # rocksdict's errors have no type of their own
            rows = PartitionRows(path, "")
            reached = rows.reached()
            rows.close()
            return reached
    return -1


def rows_of_partition(folder: Path, partition: int) -> dict[bytes, bytes]:
    """All rows but the worker's own notes."""
    (path,) = folder.glob(f"**/*-{partition}.db")
    rows = PartitionRows(path, "")
    found = dict(rows.scan(b""))
    rows.close()
    return {key: row for key, row in found.items() if key not in {OFFSET_KEY, STAMP_KEY}}
