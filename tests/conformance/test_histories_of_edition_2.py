"""Recorded histories of edition 2, with clocks and timers, against the engine and against a model of sessions."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.histories import CURATED, RANDOM, difference, differences, histories, is_embeddable
from tests.support.edition2.state import Json
from tests.support.edition2.world import World
from tests.support.histories import CURATED as CURATED_1
from tests.support.histories import DATA as DATA_1
from tests.support.histories import RANDOM as RANDOM_1
from tests.support.histories import spaced
from tests.support.storage_driver import StorageDriver

from triggers import CacheStorageBackend, MemoryStorageBackend
from triggers.analysis.driver import MemoryDriver
from triggers.analysis.verify.edition_2_histories import Edition2Replay
from triggers.analysis.verify.histories import verify_history
from triggers.storages.base import BaseStorageBackend
from triggers.storages.published_rules import use_rules


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    MemoryStorageBackend.clear()


@pytest.mark.parametrize(("file", "every"), [(CURATED, 1), (RANDOM, 4)])
def test_the_model_reproduces_the_histories_of_edition_2(file: str, every: int) -> None:
    compared, found = differences(file, World, every)
    assert found == []
    assert compared >= 250


@pytest.mark.parametrize(("file", "every", "least"), [(CURATED, 1, 500), (RANDOM, 4, 250)])
def test_the_engine_reproduces_every_history_of_edition_2(file: str, every: int, least: int) -> None:
    compared, found = differences(file, EngineDriver, every)

    assert found == []
    assert compared >= least


@pytest.mark.usefixtures("django")
@pytest.mark.parametrize("make", [MemoryStorageBackend, CacheStorageBackend])
@pytest.mark.parametrize(("file", "every", "least"), [(CURATED, 3, 100), (RANDOM, 40, 8)])
def test_embedded_storages_reproduce_every_history_that_they_can_carry_out(
    make: Callable[[str], BaseStorageBackend], file: str, every: int, least: int
) -> None:
    own = [each for each in histories(file, every) if is_embeddable(each)]

    found = [text for each in own if (text := _difference(each, make))]

    assert found == []
    assert len(own) >= least


def _difference(history: Json, make: Callable[[str], BaseStorageBackend]) -> str:
    """Begins without sessions: the jitter of a retry depends on the UID, so all histories have the same."""
    MemoryStorageBackend.clear()
    import_module("django.core.cache").cache.clear()
    driver = StorageDriver(make)
    with use_rules(driver.registry):
        return difference(history, Edition2Replay(driver))


@pytest.mark.parametrize(("file", "every", "least"), [(CURATED_1, 1, 210), (RANDOM_1, 10, 150)])
def test_histories_of_edition_1_come_to_the_same_in_edition_2(file: str, every: int, least: int) -> None:
    """All that they expect, but for rules with keys of the application, which edition 2 refuses."""
    lines = _lines_of_edition_1(file)[:: spaced(every)]

    results = [verify_history(switched, MemoryDriver()) for line in lines if (switched := _in_edition_2(line))]

    assert [line for result in results for line in result.differences] == []
    assert len(results) >= least


def _lines_of_edition_1(file: str) -> list[bytes]:
    content = (DATA_1 / file).read_bytes()
    return (gzip.decompress(content) if file.endswith(".gz") else content).splitlines()


def _in_edition_2(line: bytes) -> Json | None:
    """Returns the history with rules of edition 2, or None if edition 2 refuses them."""
    history: Json = json.loads(line)
    whole = [history["configuration"], history.get("defaultConfiguration")]
    if any(_has_own_keys(each) for each in (*whole, *(step.get("configuration") for step in history["steps"]))):
        return None
    for name in ("configuration", "defaultConfiguration"):
        if name == "configuration" or history.get(name) is not None:
            history[name] = {"$edition": 2} | (history[name] or {})
    return history


def _has_own_keys(configuration: Json | None) -> bool:
    known = {"after", "andEvery", "unless", "run", "withParams", "using"}
    return any(set(rule) - known for rule in (configuration or {}).values() if isinstance(rule, dict))
