"""What the framework itself did, recorded, against the embedded storages: state is saved and loaded at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.storage_driver import StorageDriver

from triggers import CacheStorageBackend, MemoryStorageBackend
from triggers.analysis.histories import verify_files
from triggers.storages.base import BaseStorageBackend

DATA = Path(__file__).parent / "data"
MAKERS: dict[str, Callable[[str], BaseStorageBackend]] = {
    "memory": MemoryStorageBackend,
    "cache": CacheStorageBackend,
}


@pytest.fixture(params=MAKERS)
def driver(request: pytest.FixtureRequest) -> Iterator[Callable[[], StorageDriver]]:
    make = MAKERS[request.param]

    def fresh() -> StorageDriver:
        prefix = uuid4().hex
        return StorageDriver(lambda uid: make(prefix + uid))

    yield fresh
    MemoryStorageBackend.clear()


@pytest.mark.usefixtures("django")
@pytest.mark.parametrize(
    ("file", "every", "gating"),
    [("curated.jsonl", 1, 231), ("random_public.jsonl.gz", 20, 100), ("deliberate_differences.jsonl", 1, 25)],
)
def test_recorded_histories_are_reproduced_through_storages(
    driver: Callable[[], StorageDriver], file: str, every: int, gating: int
) -> None:
    results = [result for result in verify_files([DATA / file], driver, every=every) if result.gates]

    assert len(results) == gating
    assert [line for result in results for line in result.differences] == []
