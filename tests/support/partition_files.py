"""Reads the RocksDB files of stopped workers."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tests.support.fold_oracle import differing_rows, fold_events
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings
from triggers.store.partition_rows import OFFSET_KEY, STAMP_KEY, PartitionRows


def assert_files_equal_fold(settings: Settings, *workers: WorkerProcess) -> None:
    """Fails unless the files of stopped workers equal the fold, partition by partition."""
    expected = fold_events(settings).rows
    for worker, partitions in ((w, w.partitions()) for w in workers):
        worker.terminate()
        actual = {p: read_rows(worker.data, p) for p in partitions}
        assert differing_rows(actual, {p: expected[p] for p in partitions}) == []


def corrupt_file(file: Path) -> None:
    """Overwrites bytes in the middle of a file."""
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20] = bytes(20)
    file.write_bytes(content)


def read_reached_offset(folder: Path, partition: int) -> int:
    """Returns the last changelog offset in a stopped worker's file, or -1 without a readable file or an offset.

    Before a worker owns a partition it rebuilds a file that it cannot open. So such a file belongs to no owner.
    """
    for path in folder.glob(f"**/*-{partition}.db"):
        with suppress(Exception):  # rocksdict raises plain Exception
            rows = PartitionRows(path, "")
            reached = rows.changelog_offset()
            rows.close()
            return reached
    return -1


def read_rows(folder: Path, partition: int) -> dict[bytes, bytes]:
    """Returns the rows of sessions, without the two that the worker keeps for itself."""
    (path,) = folder.glob(f"**/*-{partition}.db")
    rows = PartitionRows(path, "")
    all_rows = dict(rows.scan(b""))
    rows.close()
    return {key: row for key, row in all_rows.items() if key not in {OFFSET_KEY, STAMP_KEY}}
