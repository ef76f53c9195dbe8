"""The settings of allocator and garbage collector."""

from __future__ import annotations

import gc
import subprocess
import sys

from triggers.process.footprint import rare_garbage_collections

FREED = """
import resource
from triggers.process.footprint import trim_malloc, limit_malloc_arenas, freeze_garbage_collector

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

limit_malloc_arenas()
freeze_garbage_collector()
pieces = [bytearray(20_000) for _ in range(5_000)]
kept = pieces[-1]
full = resident()
del pieces
trim_malloc()
print(full - resident() > 50_000_000)
"""


def test_freed_memory_is_returned_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"


def test_collections_are_rare_in_a_block_only() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()

    with rare_garbage_collections():
        assert gc.get_threshold()[0] > 100 * before[0]

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() <= frozen
