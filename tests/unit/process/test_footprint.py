"""The settings of allocator and garbage collector, in a separate process."""

from __future__ import annotations

import subprocess
import sys

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
