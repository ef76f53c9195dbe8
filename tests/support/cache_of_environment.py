"""Sessions in the cache that the environment names."""

from __future__ import annotations

import os
from importlib import import_module

from triggers import CacheStorageBackend

import_module("django").setup()


def make_storage(uid: str) -> CacheStorageBackend:
    """As any process of an application makes one."""
    return CacheStorageBackend(uid, os.environ["TEST_CACHE"])
