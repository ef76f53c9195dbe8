"""Reads the figures of RocksDB about the files of a partition."""

from __future__ import annotations

from typing import NamedTuple

import rocksdict

_FIGURES = (
    "estimate-num-keys",
    "total-sst-files-size",
    "cur-size-all-mem-tables",
    "estimate-table-readers-mem",
    "estimate-pending-compaction-bytes",
    "is-write-stopped",
)
"""RocksDB's names of the properties in `FileFigures`."""


class FileFigures(NamedTuple):
    """Figures of RocksDB about the files of a partition. Sizes are in bytes."""

    rows: int
    file_bytes: int
    buffer_bytes: int
    reader_bytes: int
    pending_compaction_bytes: int
    is_stopped: bool
    """True if RocksDB accepts no writes now."""


def read_figures(files: rocksdict.Rdict) -> FileFigures:
    """Returns RocksDB's figures, some of which are estimates. Raises rocksdict's errors."""
    rows, sizes, buffers, readers, pending, stopped = (
        files.property_int_value(f"rocksdb.{name}") or 0 for name in _FIGURES
    )
    return FileFigures(rows, sizes, buffers, readers, pending, stopped > 0)
