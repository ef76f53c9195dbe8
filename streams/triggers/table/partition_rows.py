"""The RocksDB of one partition as the core's `Rows`, and its files: small buffers, one cache for all partitions."""

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

log = structlog.get_logger(__name__)

OFFSET_KEY = b"__faust\0offset__"
"""Row of the last changelog offset in the file; Faust reads it."""
STAMP_KEY = b"__triggers\0stamp__"
"""Row of the changelog topic's id and of the time of the last write."""
CONDEMNED = "CONDEMNED"
"""File in a partition's folder: it could not be read, do not trust it again."""

_LOCKED = "/LOCK: "
"""In what RocksDB says of a file that somebody has open; "lock" alone is in every "block checksum mismatch", too."""

_SHARED_CACHE = 64 << 20
_SHARED_WRITE_BUFFERS = 64 << 20


class StorageFailed(Stop):
    """A RocksDB file cannot be read or written. Unless there was no room, the partition's folder is condemned."""

    def __init__(self, path: Path, error: Exception) -> None:
        if not _lacks_room(error):
            with suppress(OSError):
                (path / CONDEMNED).touch()
        super().__init__(ExitCode.STORAGE, f"{path}: {error}")


class PartitionClosed(Exception):
    """The partition is not open here; it is recovering, or another worker's."""


class PartitionRows:
    """Rows of one partition. `get` and `scan` see what `write` has written; any thread may call any method."""

    def __init__(self, path: Path, topic_id: str) -> None:
        self._path = path
        self._topic_id = topic_id
        self._batch_lock = Lock()
        self._db = rocksdict.Rdict(str(path), options=_options())

    def get(self, key: bytes) -> bytes | None:
        """See `Rows`. Raises StorageFailed."""
        try:  # the context manager takes 1 µs, which is a quarter of the whole
            row: bytes | None = self._db.get(key)
        except Exception as error:  # rocksdict raises plain Exceptions
            raise self._condemned(error) from error
        return row

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See `Rows`. Raises StorageFailed."""
        key = prefix
        with self._condemning():
            items = cast("Iterator[tuple[bytes, bytes]]", self._db.items(from_key=prefix))  # raw mode
            for key, row in items:
                if not key.startswith(prefix):
                    return
                yield key, row
            self._check_end(key)

    def _check_end(self, key: bytes) -> None:
        """Whether this is the last key: `items` ends at a block that it cannot read, and does not tell."""
        rest = self._db.iter()
        rest.seek(key)
        while rest.valid():
            rest.next()
        rest.status()

    def write(self, rows: Changes, reached: int | None) -> None:
        """Write all rows, or none, and the changelog offset they bring the file to (None: unchanged).

        After a crash the file may be as it was after an earlier write; the changelog goes on from the offset in it.
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
        with self._condemning(), self._batch_lock:
            self._db.write(batch, _unlogged())

    def changelog_offset(self) -> int:
        """Last changelog offset in the file; -1: none."""
        found = self.get(OFFSET_KEY)
        return int(found) if found else -1

    def copy_session(self, uid: str) -> SessionSnapshot:
        """A copy of a session's rows that no batch is half-way through writing."""
        header, prefix = header_key(uid), session_prefix(uid)
        with self._batch_lock:
            own = MemoryRows(self.scan(prefix))
            row = self.get(header)
        if row is not None:
            own[header] = row
        return SessionSnapshot(own, self)

    def is_current(self, oldest_s: float) -> bool:
        """Whether the file may be caught up from the changelog instead of being rebuilt.

        No, if it belongs to another topic of that name, or was last written so long ago (before `oldest_s`, seconds
        since 1970) that the changelog may have compacted away deletions which the file has not seen.
        """
        stamp = self.get(STAMP_KEY)
        if stamp is None:
            return self.changelog_offset() < 0
        topic_id, _, written = stamp.decode().rpartition(" ")
        return topic_id == self._topic_id and int(written) >= oldest_s

    @contextmanager
    def _condemning(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # rocksdict raises plain Exceptions
            raise self._condemned(error) from error

    def _condemned(self, error: Exception) -> Exception:
        return error if isinstance(error, rocksdict.DbClosedError) else StorageFailed(self._path, error)

    def condemn(self, why: str) -> StorageFailed:
        """The error to raise for a file that must be built anew: the restarted worker sets it aside."""
        return StorageFailed(self._path, ValueError(why))

    def close(self) -> None:
        """Release the files. Reading or writing afterwards fails. Raises StorageFailed for what broke before."""
        with self._condemning():
            self._db.close()


class SessionSnapshot:
    """One session's rows as they were at one moment; configurations never change and come from the partition."""

    def __init__(self, rows: MemoryRows, partition: PartitionRows) -> None:
        self._rows = rows
        self._partition = partition

    def get(self, key: bytes) -> bytes | None:
        """See `Rows`."""
        row = self._rows.get(key)
        return row if row is not None or key[:1] in b"sr" else self._partition.get(key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See `Rows`."""
        return self._rows.scan(prefix)


def open_rows(path: Path, topic_id: str, oldest_s: float) -> PartitionRows:
    """Open a partition's folder; one that is broken or out of date is set aside or removed, and begun anew.

    Raises an exception with "lock" in its text (Faust tries again then) while another process has it open, and
    StorageFailed when there is no room.
    """
    if (path / CONDEMNED).exists():
        _set_aside(path, "it was condemned by the worker before")
    rows = _open_or_set_aside(path, topic_id)
    if rows.is_current(oldest_s):
        return rows
    log.warning("RocksDB is out of date and is rebuilt from the changelog", path=str(path))
    rows.close()
    shutil.rmtree(path)
    return PartitionRows(path, topic_id)


def _open_or_set_aside(path: Path, topic_id: str) -> PartitionRows:
    try:
        return PartitionRows(path, topic_id)
    except Exception as error:
        if _LOCKED in str(error):
            raise
        if _lacks_room(error):
            raise StorageFailed(path, error) from error
        _set_aside(path, str(error))
    return PartitionRows(path, topic_id)


def _lacks_room(error: Exception) -> bool:
    """A full disk breaks nothing: what a file lacks is in the changelog. Setting it aside would need more room."""
    return any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def _set_aside(path: Path, why: str) -> None:
    aside = path.with_name(f"{path.name}.broken")
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    log.error("RocksDB is broken and is rebuilt from the changelog", why=why, kept=str(aside))


@cache
def _shared_cache() -> rocksdict.Cache:
    return rocksdict.Cache(_SHARED_CACHE)


@cache
def _shared_write_buffers() -> rocksdict.WriteBufferManager:
    return rocksdict.WriteBufferManager(_SHARED_WRITE_BUFFERS, allow_stall=False)


@cache
def _unlogged() -> rocksdict.WriteOptions:
    """The changelog is the write-ahead log: a second one on this disk would be written for nothing."""
    options = rocksdict.WriteOptions()
    options.disable_wal = True  # type: ignore[assignment, method-assign]  # it is a property
    return options


def _options() -> rocksdict.Options:
    """A worker has one RocksDB per partition: with Faust's defaults sixty-four of them would reserve gigabytes.

    Compacting after eight flushes instead of four saves 2 µs of CPU an event, but reading one of a million sessions
    takes twice as long then: each of the files is asked.
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
