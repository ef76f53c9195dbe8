"""Back-tests of random sessions agree with a naive implementation that shares no code with them."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.naive_model import NaiveModel
from tests.support.naive_backtest import Happening, NaiveRecorded, NaiveRerun, Ran, apply_happening
from tests.support.small_rules import TASKS, TRIGGERS, Rules, encode_rules, rules

from triggers.analysis.backtest.assumptions import Assumptions, NewRules
from triggers.analysis.backtest.difference import RunChange, compare
from triggers.analysis.backtest.recorded import Recorded
from triggers.analysis.backtest.rerun import Rerun
from triggers.analysis.check.rules import check_rules
from triggers.core.events import (
    ConfigurationUpdated,
    Event,
    ReplayRequested,
    SkipRequested,
    TaskFailed,
    TaskFinished,
    TaskStarted,
    TriggerFired,
)
from triggers.core.state.plans import Plans

SEEDS = st.integers(0, 2**32)
ENDING = rules().filter(
    lambda some: not any(one.rule == "endless-cascade" for one in check_rules(encode_rules(some)).findings)
)
"""Rules without endless cascades, for which the naive model has no limit."""
STEPS = 14
MOST_RUNS = 60


def _session(rules: Rules, seed: int) -> list[Happening]:
    """Returns random events under these rules: fires, results, stale results and operations, at growing times."""
    random = Random(seed)  # noqa: S311  # no secrets
    model, log, time = NaiveModel(), list[Happening](), 0
    model.configure(rules)
    for _ in range(STEPS):
        time += random.choice([0, 1, 5, 1000])
        event = _happening(model, random, time)
        log.append(event)
        apply_happening(model, event)
        if len(model.scheduled) > MOST_RUNS:
            break
    return log


def _happening(model: NaiveModel, random: Random, time: int) -> Happening:
    kwargs = {"n": random.randint(0, 2)} if random.random() < 0.5 else {}
    busy = [i.name for i in model.instances if i.status in {"scheduled", "running"}]
    failed = [i.name for i in model.instances if i.status == "failed"]
    if failed and random.random() < 0.5:
        return Happening(time, random.choice(["replay", "skip"]), random.choice(failed), kwargs)
    if busy and random.random() < 0.6:
        report = random.choice(["start", "finish", "finish", "finish", "fail"])
        return Happening(time, report, random.choice(busy), kwargs if report == "finish" else {})
    return Happening(time, "fire", random.choice([*TRIGGERS, *TRIGGERS, *TASKS]), kwargs)


def _events(rules: Rules, log: list[Happening]) -> list[Event]:
    configured = ConfigurationUpdated(configuration=encode_rules(rules), position=0)
    return [configured, *(_event(number, happening) for number, happening in enumerate(log, 1))]


def _event(position: int, happening: Happening) -> Event:
    where: dict[str, Any] = {"position": position, "time": happening.time}
    payload, name = json.dumps(happening.kwargs).encode(), happening.name
    match happening.what:
        case "fire":
            return TriggerFired(trigger=name, kwargs=payload, **where)
        case "start":
            return TaskStarted(instance=name, **where)
        case "finish":
            return TaskFinished(instance=name, result=payload, **where)
        case "fail":
            return TaskFailed(instance=name, exception_type="app.Broken", **where)
        case "replay":
            return ReplayRequested(instance=name, **where)
        case _:
            return SkipRequested(instance=name, cascade=True, result=payload, **where)


@settings(max_examples=300, deadline=None)
@given(ENDING, ENDING, SEEDS, st.dictionaries(st.sampled_from(TASKS), st.just({"n": 9}), max_size=2), st.booleans())
def test_a_rerun_has_the_runs_of_the_naive_implementation(
    old: Rules, new: Rules, seed: int, stubs: dict[str, dict[str, int]], reuse: bool
) -> None:
    log = _session(old, seed)
    events = _events(old, log)
    expected = NaiveRerun(new, log, NaiveRecorded(old, log), stubs, reuse=reuse)

    recorded = Recorded("s", events, Plans())
    assumed = {task: json.dumps(result).encode() for task, result in stubs.items()}
    rerun = Rerun("s", recorded, Assumptions(stubs=assumed, reuse=reuse), Plans())
    rerun.fold(events, NewRules(rules=encode_rules(new)))

    found = [(n.run.instance, json.loads(n.run.kwargs), n.run.time, str(n.source), n.same) for n in rerun.runs]
    assert found == [(ran.instance, ran.kwargs, ran.time, ran.known, ran.same) for ran in expected.runs]


@settings(max_examples=200, deadline=None)
@given(ENDING, ENDING, SEEDS)
def test_the_changes_are_those_of_the_naive_implementation(old: Rules, new: Rules, seed: int) -> None:
    log = _session(old, seed)
    recorded = NaiveRecorded(old, log)
    rerun = NaiveRerun(new, log, recorded, {}, reuse=False)

    found = compare("s", _events(old, log), NewRules(rules=encode_rules(new)), Assumptions(), Plans())

    counts = Counter((change.task, change.change) for change in found.changes)
    for task in {*old, *new}:
        assert {kind: counts[task, kind] for kind in RunChange if kind is not RunChange.TIMING} == _expected(
            task, recorded.runs, rerun.runs
        )
    assert set(found.unjudged) == _waiting_for_the_unknown(new, rerun.runs)


@settings(max_examples=200, deadline=None)
@given(ENDING, SEEDS)
def test_the_same_rules_change_nothing(same: Rules, seed: int) -> None:
    events = _events(same, _session(same, seed))

    found = compare("s", events, NewRules(rules=encode_rules(same)), Assumptions(), Plans())

    assert (found.changes, found.unjudged, found.refused) == ([], [], 0)
    assert set(found.results) <= {"recorded"}


def _expected(task: str, old: list[Ran], new: list[Ran]) -> dict[RunChange, int]:
    kept = [run for run in new if run.same is not None]
    of_task = [run for run in new if run.task == task]
    gone = sum(run.task == task for run in old) - sum(run.same is not None for run in of_task)
    came = sum(run.same is None for run in of_task)
    both = min(gone, came)
    swaps = [one for one, two in pairwise(kept) if (one.same or 0) > (two.same or 0) and one.task == task]
    return {
        RunChange.ADDED: came - both,
        RunChange.REMOVED: gone - both,
        RunChange.KWARGS: both,
        RunChange.TARGET: 0,
        RunChange.ORDER: len(swaps),
        RunChange.CANCELLED: 0,
    }


def _waiting_for_the_unknown(rules: Rules, runs: list[Ran]) -> set[str]:
    lost = {run.task for run in runs if run.known == "unknown"}
    waiting: set[str] = set()
    for _ in rules:
        for name, rule in rules.items():
            if (lost | waiting) & {*rule["after"], rule.get("andEvery"), *rule.get("unless", ())}:
                waiting.add(name)
    return waiting
