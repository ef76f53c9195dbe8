"""Recorded histories of edition 2, with clocks and timers, against the engine and against a model of sessions."""

from __future__ import annotations

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
from tests.support.storage_driver import StorageDriver

from triggers import CacheStorageBackend, MemoryStorageBackend
from triggers.analysis.verify.timed_histories import TimedReplay
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
        return difference(history, TimedReplay(driver))


def test_histories_of_edition_1_come_to_the_same_in_edition_2() -> None:
    compared = 0
    for line in (DATA_1 / CURATED_1).read_bytes().splitlines():
        history = json.loads(line)
        if _is_plain(history):
            compared += 1
            assert _folded(history, edition=2) == _folded(history, edition=1), history["id"]
    assert compared > 80


def _is_plain(history: Json) -> bool:
    """Whether its rules have no keys of the application, and its steps are of both formats."""
    steps = [step for step in history["steps"] if step["op"] != "query"]
    configurations = [history["configuration"] or {}, *(step.get("configuration") or {} for step in steps)]
    known = {"after", "andEvery", "unless", "run", "withParams", "using"}
    own = [set(task) - known for configuration in configurations for task in configuration.values()]
    plain_steps = {"fire", "configure", "start", "finish", "fail", "retry", "replay", "skip", "status_change"}
    return (
        not any(own)
        and "defaultConfiguration" not in history
        and all(step["op"] in plain_steps for step in steps)
        and all("error" not in step["expect"] for step in steps)
    )


def _folded(history: Json, *, edition: int) -> list[Json]:
    """What each step came to, and what is left: the same in both editions."""
    driver = EngineDriver()
    begin: list[Json] = [{"op": "configure", "configuration": {"$edition": edition} | (history["configuration"] or {})}]
    steps = [step for step in history["steps"] if step["op"] != "query"]
    found = [driver.apply(step | {"at": 1_000 * at}) for at, step in enumerate([*begin, *steps])]
    return [*found, driver.final()]
