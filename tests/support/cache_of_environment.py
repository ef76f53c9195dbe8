"""Sessions in the cache that the environment variables name."""

from __future__ import annotations

import os
from importlib import import_module

from triggers import CacheStorageBackend

import_module("django").setup()


def make_storage(uid: str) -> CacheStorageBackend:
    """Makes a storage as each process of an application does."""
    return CacheStorageBackend(uid, os.environ["TEST_CACHE"])
