"""Sessions that change from edition 1 to edition 2 decide as the model does, which knows only edition 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import cycle, pairwise
from pathlib import Path

import msgspec
import pytest
from tests.property.test_batches_of_edition_2 import _folded
from tests.property.test_other_histories import played
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.histories import Driver, different, is_embeddable
from tests.support.edition2.switched_histories import SwitchScript
from tests.support.storage_driver import StorageDriver

from triggers import CacheStorageBackend, MemoryStorageBackend
from triggers.analysis.backtest.assumptions import Assumptions, NewRules
from triggers.analysis.backtest.difference import compare
from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.capsules import capture, load_capsule, replay_capsule
from triggers.analysis.verify.edition_2_histories import Edition2Replay
from triggers.core.events import RulesPublished
from triggers.core.state.plans import Plans
from triggers.storages.base import BaseStorageBackend
from triggers.storages.published_rules import use_rules

SEEDS = range(60)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    MemoryStorageBackend.clear()


def _compare(seed: int, driver: Driver) -> None:
    """Compares every step and the end with the model's."""
    script = SwitchScript(seed)
    for number, (step, expected) in enumerate(played(script)):
        assert different(driver.apply(step), expected) == "", f"seed {seed}, step {number} {step}"
    assert different(driver.final(), script.model.final()) == "", f"seed {seed}, at the end"


@pytest.mark.parametrize("part", range(4))
def test_the_engine_and_the_model_agree_on_every_step(part: int) -> None:
    for seed in SEEDS[part::4]:
        _compare(seed, EngineDriver())


def test_most_of_the_histories_change_their_edition_while_instances_wait() -> None:
    changes = 0
    for seed in SEEDS:
        script = SwitchScript(seed)
        editions = [_waits(script) for _ in played(script)]
        changes += any(before == (1, True) and after[0] == 2 for before, after in pairwise(editions))

    assert changes > len(SEEDS) / 3


def _waits(script: SwitchScript) -> tuple[int, bool]:
    """Returns the edition of the session, and whether an instance waits in it."""
    session = script.model.sessions.get("main")
    if session is None:
        return 0, False
    return session.edition, any(instance.status == "unstarted" for instance in session.instances)


@pytest.mark.usefixtures("django")
@pytest.mark.parametrize("make", [MemoryStorageBackend, CacheStorageBackend])
def test_embedded_storages_and_the_model_agree_on_every_step(make: Callable[[str], BaseStorageBackend]) -> None:
    compared = 0
    for seed in SEEDS:
        if not is_embeddable({"steps": [step for step, _ in played(SwitchScript(seed))]}):
            continue
        MemoryStorageBackend.clear()
        import_module("django.core.cache").cache.clear()
        driver = StorageDriver(make)
        with use_rules(driver.registry):
            _compare(seed, Edition2Replay(driver))
        compared += 1
    assert compared >= 15


@pytest.mark.parametrize("sizes", [(2,), (1, 5, 3, 8), (1_000,)])
def test_a_session_folded_in_any_batches_has_the_same_rows(sizes: tuple[int, ...]) -> None:
    compared = 0
    for seed in SEEDS[::2]:
        driver = EngineDriver()
        for step, _ in played(SwitchScript(seed)):
            driver.apply(step)
        if any(isinstance(event, RulesPublished) for _, event in driver.log):
            continue  # a worker ends its batch there
        assert _folded(driver.log, cycle(sizes)) == driver.rows, seed
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("part", range(3))
def test_a_capsule_of_a_session_that_changed_its_edition_replays(tmp_path: Path, part: int) -> None:
    for seed in SEEDS[part::3]:
        driver, path = EngineDriver(), tmp_path / f"{seed}.json"
        for step, _ in played(SwitchScript(seed)):
            driver.apply(step)
        path.write_bytes(capture("main", [event for uid, event in driver.log if uid in {"main", ""}]))

        replayed = replay_capsule(load_capsule(InputFile(path)))

        assert replayed.differences == [], seed
        assert msgspec.json.encode(replayed.view) == msgspec.json.encode(driver.partition.view("main")), seed


def test_a_back_test_under_the_same_rules_finds_no_difference() -> None:
    compared = 0
    for seed in SEEDS:
        driver = EngineDriver()
        for step, _ in played(SwitchScript(seed)):
            driver.apply(step)
        events = [event for uid, event in driver.log if uid == "main"]
        if any(isinstance(event, RulesPublished) for _, event in driver.log):
            continue
        found = compare("main", events, NewRules(rules=b"{}", added=True), Assumptions(), Plans())
        assert (found.changes, found.unjudged, found.open, found.forwards) == ([], [], [], []), seed
        compared += 1
    assert compared >= 10
