"""Random histories of other shapes than the recorded ones: what holds for every session of edition 2."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice, product

import pytest
from tests.property.test_batches_of_edition_2 import _folded
from tests.support.edition2.engine_driver import EngineDriver, Partition
from tests.support.edition2.histories import different
from tests.support.edition2.other_histories import Script
from tests.support.edition2.state import Json

from triggers.analysis.backtest.assumptions import Assumptions, NewRules
from triggers.analysis.backtest.difference import compare
from triggers.analysis.explain.proofs import explain
from triggers.core.events import Event, RulesPublished, TimerFired
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.view import InstanceView

SEEDS = range(24)
STEPS = 40


def played(script: Script) -> Iterator[tuple[Json, Json]]:
    """Yields each step of a history with what the model says of it."""
    first = script.first_steps()
    for number in range(STEPS):
        step = first[number] if number < len(first) else script.next_step()
        yield step, script.model.apply(step)


def driven(seed: int, steps: int = STEPS) -> EngineDriver:
    driver = EngineDriver()
    for step, _ in islice(played(Script(seed)), steps):
        driver.apply(step)
    return driver


@pytest.mark.parametrize("part", range(4))
def test_the_engine_and_the_model_agree_on_every_step(part: int) -> None:
    for seed in SEEDS[part::4]:
        script, driver = Script(seed), EngineDriver()
        for number, (step, expected) in enumerate(played(script)):
            found = different(driver.apply(step), expected)
            assert found == "", f"seed {seed}, step {number} {step}"
        assert different(driver.final(), script.model.final()) == "", f"seed {seed}, at the end"


@pytest.mark.parametrize("sizes", [(2,), (1, 5, 3, 8), (1_000,)])
def test_a_session_folded_in_any_batches_has_the_same_rows(sizes: tuple[int, ...]) -> None:
    compared = 0
    for seed in SEEDS:
        driver = driven(seed)
        if any(isinstance(event, RulesPublished) for _, event in driver.log):
            continue  # a worker ends its batch there
        assert _folded(driver.log, cycle(sizes)) == driver.rows, seed
        compared += any(isinstance(event, TimerFired) for _, event in driver.log)
    assert compared >= 4


def test_a_back_test_under_the_same_rules_finds_no_difference() -> None:
    compared = 0
    for seed in SEEDS:
        log = driven(seed).log
        events = [event for uid, event in log if uid == "main"]
        if not events or any(isinstance(event, RulesPublished) for _, event in log):
            continue
        found = compare("main", events, NewRules(rules=b"{}", added=True), Assumptions(), Plans())
        assert (found.changes, found.unjudged, found.open, found.forwards) == ([], [], [], []), seed
        compared += 1
    assert compared >= 8


def test_what_explain_says_of_a_timer_comes_true_once_it_is_waited_for() -> None:
    checked = 0
    for seed, steps in product(SEEDS, (6, 12, 20)):
        driver = driven(seed, steps)
        log = [event for uid, event in driver.log if uid in {"main", ""}]
        proofs = [proof for task in explain("main", log).tasks for proof in task.instances if proof.name]
        for proof in proofs:
            for timer in proof.timers[:1]:
                assert proof.name is not None
                before, after = _waited(driver.rows, proof.name, timer.kind, timer.due)
                assert _came_true(timer.then, before, after), (seed, proof.name, timer, before.status, after.status)
                checked += 1
    assert checked >= 8


def _waited(rows: MemoryRows, name: str, kind: str, due: int) -> tuple[InstanceView, InstanceView]:
    """Fires a timer when it is due, in a copy of the session. Returns its instance before and after."""
    copy = Partition()
    copy.rows.update(rows)
    before = next(one for one in copy.view("main").instances if one.name == name)
    event: Event = TimerFired(instance=name, attempt=0, kind=kind, due=due, time=due, position=9_999)
    copy.apply("main", event)
    return before, next(one for one in copy.view("main").instances if one.name == name)


def _came_true(then: str, before: InstanceView, after: InstanceView) -> bool:
    issued = after.attempt == before.attempt + 1 or "ExpressionError" in str(
        bytes(after.metadata.get("exceptionType", b""))
    )
    if then.startswith(("it runs", "its command is issued", "attempt")):
        return issued or "CascadeTooDeep" in str(bytes(after.metadata.get("exceptionType", b"")))
    if then.startswith("it expires"):
        return after.status == "expired"
    return after.status == "failed" if then.startswith("it fails") else after.status == before.status
