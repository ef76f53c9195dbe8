"""Keeps a worker's memory small: rare garbage collections, few malloc arenas, freed pages returned to the system."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ARENA_MAX = -8
"""`M_ARENA_MAX` of glibc's `malloc.h`."""
_ARENAS = 2


def limit_malloc_arenas() -> None:
    """Limits malloc to two arenas for all threads. Must be called before the first thread starts. Needs glibc.

    By default, each thread of RocksDB and librdkafka gets its own arena, which keeps the memory of its peak. With 64
    partitions a worker then took 437 MB instead of 386 MB (one run of each).
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_ARENA_MAX, _ARENAS)


def trim_malloc() -> None:
    """Returns freed memory to the system. Called after a restore, which briefly needs much memory. Needs glibc."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def freeze_garbage_collector() -> None:
    """Excludes all objects that exist now from garbage collection, and makes collections rare.

    The garbage of an event has no cycles, so it is freed without a collection. A batch of sessions from the disk is
    some 100,000 objects, which would trigger many collections.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 50, 50)


@contextmanager
def rare_garbage_collections() -> Iterator[None]:
    """Makes garbage collections rare until the block ends.

    For a command, which may run in a process that goes on with other work. Kafka clients whose callbacks refer back to
    them, such as admin clients, are closed by a collection only.
    """
    before = gc.get_threshold()
    freeze_garbage_collector()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
