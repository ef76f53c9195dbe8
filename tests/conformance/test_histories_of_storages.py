"""The embedded storages reproduce what the framework did, as recorded. State is saved and loaded at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from tests.support.histories import CURATED, DATA, DIFFERENCES, RANDOM, assert_reproduced, sampling_step
from tests.support.storage_driver import StorageDriver

from triggers import CacheStorageBackend, MemoryStorageBackend
from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.histories import verify_files
from triggers.storages.base import BaseStorageBackend

MAKERS: dict[str, Callable[[str], BaseStorageBackend]] = {
    "memory": MemoryStorageBackend,
    "cache": CacheStorageBackend,
}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    MemoryStorageBackend.clear()


@pytest.mark.usefixtures("django")
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("file", [CURATED, RANDOM, DIFFERENCES])
def test_recorded_histories_are_reproduced_through_storages(name: str, file: str) -> None:
    prefix, make = uuid4().hex, MAKERS[name]

    results = verify_files(
        [InputFile(DATA / file)], lambda: StorageDriver(lambda uid: make(prefix + uid)), every=sampling_step(name, file)
    )

    assert_reproduced(name, file, results)
