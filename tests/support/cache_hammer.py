"""A process that fires many triggers into one session of a Django cache: python -m tests.support.cache_hammer."""

from __future__ import annotations

import sys
from importlib import import_module

from triggers import CacheStorageBackend, TriggerManager


def hammer(cache: str, uid: str, writer: str, count: int) -> None:
    """Fire `page` so often, each time through a storage of its own, as web requests do."""
    for number in range(count):
        TriggerManager(CacheStorageBackend(uid, cache)).fire("page", {"of": f"{writer}{number}"})


if __name__ == "__main__":
    import_module("django").setup()
    hammer(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
