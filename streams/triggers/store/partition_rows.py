"""The rows of one partition in RocksDB, and its files. All partitions share one cache."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import cast

import rocksdict
import structlog

from triggers.core.state.rows import Changes, MemoryRows, header_key, session_prefix
from triggers.process.exits import ExitCode, Stop
from triggers.store.file_figures import FileFigures, read_figures

log = structlog.get_logger(__name__)

OFFSET_KEY = b"__faust\0offset__"
"""Key of the row that holds the last changelog offset in the file. Faust reads it."""
STAMP_KEY = b"__triggers\0stamp__"
"""Key of the row that holds the changelog topic's id and the time of the last write."""
CORRUPT_MARK = "CONDEMNED"
"""Name of a file that marks a partition's folder as corrupt."""

_LOCKED = "/LOCK: "
"""Part of RocksDB's error for a file that is open elsewhere. "lock" alone also matches "block checksum mismatch"."""

_FIRST_PART = 8
"""Number of rows that a scan reads at first. Each further part has eight times as many, up to the maximum."""
_MAX_PART = 512
_MAX_PART_BYTES = 1_000_000

_SHARED_CACHE = 64 << 20
_SHARED_WRITE_BUFFERS = 64 << 20


class StorageFailed(Stop):
    """A RocksDB file cannot be read or written. Its folder is marked as corrupt, unless the disk was full."""

    def __init__(self, path: Path, error: Exception) -> None:
        if not _is_disk_full(error):
            with suppress(OSError):
                (path / CORRUPT_MARK).touch()
        super().__init__(ExitCode.STORAGE, f"{path}: {error}")


class PartitionClosed(Exception):
    """The partition is not open in this worker: it is being restored, or another worker owns it. Nothing is damaged."""


class PartitionRows:
    """The rows of one partition in RocksDB; implements the core's `Rows`. Thread-safe."""

    def __init__(self, path: Path, topic_id: str) -> None:
        self._path = path
        self._topic_id = topic_id
        self._batch_lock = Lock()
        self._scan_lock = Lock()
        self._db = rocksdict.Rdict(str(path), options=_options())

    def get(self, key: bytes) -> bytes | None:
        """Returns the row, or None. Raises PartitionClosed and StorageFailed."""
        try:  # `_marking_corrupt` would take 1 µs, a quarter of the whole call
            row: bytes | None = self._db.get(key)
        except Exception as error:  # rocksdict raises plain Exceptions
            raise self._error_of(error) from error
        return row

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Returns the rows whose keys begin with the prefix and are not less than `start`, in the order of the keys.

        It sees each row as it is when its part is read. Raises PartitionClosed and StorageFailed.
        """
        position: bytes | None = max(prefix, start)
        limit = _FIRST_PART
        while position is not None:
            part, position = self._read_part(prefix, position, limit)
            yield from part
            limit = min(8 * limit, _MAX_PART)

    def _read_part(self, prefix: bytes, start: bytes, limit: int) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
        """Returns the next rows of a scan, and the key at which it continues, or None at its end.

        An iterator of RocksDB keeps the files open and locked, even after `close`, so that a partition that comes back
        could not be opened. So none exists outside of this lock, whatever becomes of a scan.
        """
        part, size = list[tuple[bytes, bytes]](), 0
        with self._marking_corrupt(), self._scan_lock:
            # no name may refer to the iterator, because names live until after the lock is released
            for key, row in cast("Iterator[tuple[bytes, bytes]]", self._db.items(from_key=start)):  # raw: bytes
                if not key.startswith(prefix):
                    return part, None
                part.append((key, row))
                size += len(row)
                if len(part) == limit or size > _MAX_PART_BYTES:
                    return part, key + b"\0"
            self._check_end(part[-1][0] if part else start)
        return part, None

    def _check_end(self, key: bytes) -> None:
        """Raises if the scan stopped before the last key: `items` ends silently at a block that it cannot read."""
        rest = self._db.iter()
        rest.seek(key)
        while rest.valid():
            rest.next()
        rest.status()

    def write(self, rows: Changes, reached: int | None) -> None:
        """Writes all rows, or none, and the changelog offset that the file has reached, unless that is None.

        After a crash the file may be in the state after an earlier write. The restore continues at the offset in it.
        """
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if reached is not None:
            batch.put(OFFSET_KEY, b"%d" % reached)
        batch.put(STAMP_KEY, f"{self._topic_id} {int(time.time())}".encode())
        with self._marking_corrupt(), self._batch_lock:
            self._db.write(batch, _unlogged())

    def changelog_offset(self) -> int:
        """Returns the last changelog offset in the file, or -1 if it has none."""
        row = self.get(OFFSET_KEY)
        return int(row) if row else -1

    def copy_session(self, uid: str) -> SessionSnapshot:
        """Returns a consistent copy of a session's rows: no write happens while they are copied."""
        header, prefix = header_key(uid), session_prefix(uid)
        with self._batch_lock:
            rows = MemoryRows(self.scan(prefix))
            row = self.get(header)
        if row is not None:
            rows[header] = row
        return SessionSnapshot(rows, self)

    def is_current(self, oldest_s: float) -> bool:
        """Returns whether the changelog can bring the file up to date, so that it need not be rebuilt.

        It cannot if the file belongs to an earlier topic of that name. Nor can it if the file was last written before
        `oldest_s` (seconds since the epoch), because the changelog may have compacted deletions away since then.
        """
        stamp = self.get(STAMP_KEY)
        if stamp is None:
            return self.changelog_offset() < 0
        topic_id, _, written = stamp.decode().rpartition(" ")
        return topic_id == self._topic_id and int(written) >= oldest_s

    def figures(self) -> FileFigures:
        """Returns RocksDB's figures. Raises PartitionClosed and StorageFailed."""
        with self._marking_corrupt():
            return read_figures(self._db)

    @contextmanager
    def _marking_corrupt(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # rocksdict raises plain Exceptions
            raise self._error_of(error) from error

    def _error_of(self, error: Exception) -> Exception:
        """Returns the error to raise for one of rocksdict's. A closed file is not corrupt."""
        if isinstance(error, rocksdict.DbClosedError):
            return PartitionClosed(f"{self._path} is closed")
        return StorageFailed(self._path, error)

    def mark_corrupt(self, why: str) -> StorageFailed:
        """Marks the file as corrupt, so that the restarted worker rebuilds it. Returns the error to raise."""
        return StorageFailed(self._path, ValueError(why))

    def close(self) -> None:
        """Closes the files; later reads and writes fail. Raises StorageFailed for an earlier background error."""
        with self._marking_corrupt(), self._scan_lock:
            self._db.close()


class SessionSnapshot:
    """A session's rows as they were at one moment. What sessions share never changes and is read from the partition."""

    def __init__(self, rows: MemoryRows, partition: PartitionRows) -> None:
        self._rows = rows
        self._partition = partition

    def get(self, key: bytes) -> bytes | None:
        row = self._rows.get(key)
        return row if row is not None or key[:1] in b"sr" else self._partition.get(key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return self._rows.scan(prefix, start) if prefix[:1] in b"sr" else self._partition.scan(prefix, start)


def open_rows(path: Path, topic_id: str, oldest_s: float) -> PartitionRows:
    """Opens a partition's folder, and begins a new one if the changelog cannot bring it up to date.

    A corrupt folder is set aside, and so is one of an earlier changelog; an outdated one is removed.

    While another process has the folder open, raises an exception with "lock" in its text, which makes Faust try again.
    Raises StorageFailed if the disk is full.
    """
    if (path / CORRUPT_MARK).exists():
        _set_aside(path, "an earlier run of the worker marked it as corrupt")
    rows = _open_or_set_aside(path, topic_id)
    if rows.is_current(oldest_s):
        return rows
    is_foreign = not rows.is_current(0)
    rows.close()
    if is_foreign:  # if the changelog was lost and recreated, the file may be the last copy of the rows
        _set_aside(path, "it belongs to an earlier changelog of this name")
    else:
        log.warning("a RocksDB file is outdated and is rebuilt from the changelog", path=str(path))
        shutil.rmtree(path)
    return PartitionRows(path, topic_id)


def _open_or_set_aside(path: Path, topic_id: str) -> PartitionRows:
    try:
        return PartitionRows(path, topic_id)
    except Exception as error:
        if _LOCKED in str(error):
            raise
        if _is_disk_full(error):
            raise StorageFailed(path, error) from error
        _set_aside(path, str(error))
    return PartitionRows(path, topic_id)


def _is_disk_full(error: Exception) -> bool:
    """Returns whether the disk is full. That corrupts no file, and setting the file aside would need more space."""
    return any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def _set_aside(path: Path, why: str) -> None:
    aside = path.with_name(f"{path.name}.broken")
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    log.error("a RocksDB file cannot be used and is rebuilt from the changelog", why=why, kept=str(aside))


@cache
def _shared_cache() -> rocksdict.Cache:
    return rocksdict.Cache(_SHARED_CACHE)


@cache
def _shared_write_buffers() -> rocksdict.WriteBufferManager:
    return rocksdict.WriteBufferManager(_SHARED_WRITE_BUFFERS, allow_stall=False)


@cache
def _unlogged() -> rocksdict.WriteOptions:
    """Returns options that turn RocksDB's write-ahead log off, because the changelog is one already."""
    options = rocksdict.WriteOptions()
    options.disable_wal = True  # type: ignore[assignment, method-assign]  # it is a property
    return options


def _options() -> rocksdict.Options:
    """Returns options with small buffers, because a worker has one RocksDB per partition.

    With Faust's defaults, 64 partitions would reserve gigabytes. Compaction after eight flushes instead of four would
    save 2 µs of CPU per event, but reading one of a million sessions would take twice as long, because more files are
    searched.
    """
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(4 << 20)
    options.set_max_write_buffer_number(2)
    options.set_arena_block_size(128 << 10)
    options.set_write_buffer_manager(_shared_write_buffers())
    options.set_target_file_size_base(16 << 20)
    options.set_max_open_files(128)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1 << 20)
    options.set_stats_dump_period_sec(0)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    options.set_block_based_table_factory(_blocks())
    return options


def _blocks() -> rocksdict.BlockBasedOptions:
    blocks = rocksdict.BlockBasedOptions()
    blocks.set_block_cache(_shared_cache())
    blocks.set_bloom_filter(10, block_based=False)
    return blocks
