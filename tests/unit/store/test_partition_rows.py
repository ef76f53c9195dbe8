"""The RocksDB files of a partition on a full disk, and on one that corrupts bytes."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from random import Random
from threading import Event, Semaphore

import pytest
from tests.support.partition_files import corrupt_file

from triggers.core.state.rows import Changes
from triggers.process.exits import ExitCode
from triggers.store.partition_rows import CORRUPT_MARK, PartitionClosed, PartitionRows, StorageFailed, open_rows

SOME: Changes = {b"k%d" % n: bytes(1000) for n in range(100)}


@contextmanager
def full_disk() -> Iterator[None]:
    """Limits the size of files so that none can grow."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def _write_more_than_memory_takes(rows: PartitionRows) -> None:
    for reached in range(8, 20_000):
        rows.write(SOME, reached)


def test_a_full_disk_ends_the_worker_and_does_not_mark_the_files_as_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "sessions-0.db"
    rows = open_rows(path, "topic", 0)
    rows.write({b"k": b"v"}, 7)
    rows.close()
    rows = open_rows(path, "topic", 0)

    with full_disk(), pytest.raises(StorageFailed) as failed:
        _write_more_than_memory_takes(rows)
    with pytest.raises(StorageFailed, match="File too large"):
        rows.close()  # as the end of the process does

    assert failed.value.code == ExitCode.STORAGE
    assert not (path / CORRUPT_MARK).exists()
    again = open_rows(path, "topic", 0)
    assert (again.get(b"k"), again.get(b"k1"), again.changelog_offset()) == (b"v", None, 7)
    again.close()


def test_a_closed_partition_says_so_and_is_not_marked_as_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "sessions-0.db"
    rows = open_rows(path, "topic", 0)
    rows.close()

    for use in (lambda: rows.get(b"k"), lambda: list(rows.scan(b"k")), lambda: rows.write({b"k": b"v"}, 7)):
        with pytest.raises(PartitionClosed, match=r"sessions-0\.db is closed"):
            use()

    assert not (path / CORRUPT_MARK).exists()


def test_a_crash_leaves_the_file_in_the_state_after_some_write(tmp_path: Path) -> None:
    path, writes = tmp_path / "sessions-0.db", 2_000
    crash = (
        "import os, sys; from pathlib import Path; from triggers.store.partition_rows import open_rows\n"
        f"rows = open_rows(Path({str(path)!r}), 'topic', 0)\n"
        f"for n in range({writes}): rows.write({{b'%d' % n: os.urandom(10_000), b'last': b'%d' % n}}, n)\n"
        "os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", crash], check=False).returncode == 9

    rows = open_rows(path, "topic", 0)

    reached = rows.changelog_offset()
    assert 0 < reached < writes
    assert rows.get(b"last") == b"%d" % reached
    assert [rows.get(b"%d" % n) is not None for n in range(writes)] == [n <= reached for n in range(writes)]
    rows.close()


def test_a_file_that_cannot_be_opened_because_the_disk_is_full_is_not_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "sessions-0.db"
    rows = open_rows(path, "topic", 0)
    rows.write({b"k": b"v"}, 7)
    rows.close()

    with full_disk(), pytest.raises(StorageFailed):
        open_rows(path, "topic", 0)

    assert list(tmp_path.iterdir()) == [path]
    again = open_rows(path, "topic", 0)
    assert again.get(b"k") == b"v"
    again.close()


def test_a_file_that_is_found_corrupt_at_opening_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "clock" / "sessions-0.db"
    path.parent.mkdir()
    rows = open_rows(path, "topic", 0)
    rows.write({b"k": b"v"}, 7)
    rows.close()
    (file,) = path.glob("*.sst")
    before_the_footer = bytearray(file.read_bytes())
    before_the_footer[-60] ^= 0xFF
    file.write_bytes(before_the_footer)
    with pytest.raises(Exception, match="block checksum mismatch"):
        PartitionRows(path, "topic")

    again = open_rows(path, "topic", 0)

    assert again.changelog_offset() == -1
    assert path.with_name("sessions-0.db.broken").exists()
    again.close()


def test_a_file_that_is_open_elsewhere_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sessions-0.db"
    rows = open_rows(path, "topic", 0)
    rows.write({b"k": b"v"}, 7)

    with pytest.raises(Exception, match="lock"):
        open_rows(path, "topic", 0)

    assert list(tmp_path.iterdir()) == [path]
    assert rows.get(b"k") == b"v"
    rows.close()


def test_a_scan_that_reads_a_corrupt_block_fails_and_marks_the_files_as_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "sessions-0.db"
    rows = open_rows(path, "topic", 0)
    for start in range(0, 20_000, 1000):
        rows.write({b"k%06d" % n: Random(n).randbytes(300) for n in range(start, start + 1000)}, start)  # noqa: S311  # not a secret
    rows.close()
    for file in path.glob("*.sst"):
        corrupt_file(file)

    again = open_rows(path, "topic", 0)
    with pytest.raises(StorageFailed):
        list(again.scan(b"k"))

    assert (path / CORRUPT_MARK).exists()
    again.close()


def test_a_scan_that_nobody_ends_keeps_no_file_locked(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "sessions-0.db", "topic", 0)
    rows.write({b"k%06d" % n: b"v" for n in range(2000)}, 1)
    scans = [rows.scan(b"k") for _ in range(3)]
    for steps, scan in zip((1, 8, 700), scans, strict=True):
        assert len(list(islice(scan, steps))) == steps

    rows.close()
    again = open_rows(tmp_path / "sessions-0.db", "topic", 0)

    assert again.get(b"k001999") == b"v"
    for scan in scans:
        with pytest.raises(PartitionClosed):
            list(scan)
    again.close()


def test_a_partition_can_be_closed_and_opened_while_other_threads_scan_it(tmp_path: Path) -> None:
    path = tmp_path / "sessions-0.db"
    current = [open_rows(path, "topic", 0)]
    current[0].write({b"k%06d" % n: b"v" for n in range(3000)}, 1)
    stop, scanned = Event(), Semaphore(0)

    def scan_repeatedly() -> None:
        while not stop.is_set():
            with suppress(PartitionClosed):
                for _ in current[0].scan(b"k"):
                    scanned.release()

    with ThreadPoolExecutor(3) as threads:
        scanning = [threads.submit(scan_repeatedly) for _ in range(3)]
        try:
            for _ in range(30):
                for _ in range(500):
                    assert scanned.acquire(timeout=60)
                current[0].close()
                current[0] = open_rows(path, "topic", 0)
        finally:
            stop.set()
        for each in scanning:
            each.result()
    current[0].close()


@pytest.mark.parametrize("number", [0, 1, 7, 8, 9, 71, 72, 73, 600, 1700])
def test_a_scan_returns_each_row_once_however_many_there_are(tmp_path: Path, number: int) -> None:
    rows = open_rows(tmp_path / "sessions-0.db", "topic", 0)
    stored = {b"k%06d" % n: b"%d" % n for n in range(number)}
    rows.write({**stored, b"j": b"before", b"l": b"after"}, 1)

    assert dict(rows.scan(b"k")) == stored
    assert list(rows.scan(b"k")) == sorted(stored.items())
    assert list(rows.scan(b"k", b"k000005")) == sorted(stored.items())[5:]
    rows.close()


def test_a_scan_of_large_rows_reads_few_of_them_at_a_time(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "sessions-0.db", "topic", 0)
    stored: Changes = {b"k%d" % n: bytes(700_000) for n in range(9)}
    rows.write(stored, 1)

    assert dict(rows.scan(b"k")) == stored
    rows.close()


def test_a_scan_may_or_may_not_see_concurrent_writes_but_succeeds(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "sessions-0.db", "topic", 0)
    rows.write({b"k1": b"1", b"k2": b"2"}, 1)

    scan = rows.scan(b"k")
    first = next(scan)
    rows.write({b"k3": b"3"}, 2)

    assert [first, *scan][:2] == [(b"k1", b"1"), (b"k2", b"2")]
    rows.close()
