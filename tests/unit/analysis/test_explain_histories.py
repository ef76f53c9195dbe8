"""What explain says of sessions of edition 2, compared with the engine over recorded histories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.edition2.engine_driver import EngineDriver
from tests.support.edition2.histories import CURATED, histories
from tests.support.edition2.state import Json

from triggers.analysis.explain.explanation import (
    ConditionProof,
    Does,
    Outlook,
)
from triggers.analysis.explain.explanation_text import explanation_lines
from triggers.analysis.explain.proofs import explain
from triggers.core.edition_2_plan import is_reserved
from triggers.core.events import Event, TriggerFired


def folded(history: Json) -> Iterator[tuple[str, EngineDriver, list[Event]]]:
    driver = EngineDriver()
    for step in history["steps"]:
        driver.apply({key: value for key, value in step.items() if key != "expect"})
    for uid in dict.fromkeys(uid for uid, _ in driver.log if uid):
        yield uid, driver, [event for session, event in driver.log if session in {uid, ""}]


def fires_for(proof: ConditionProof) -> list[str] | None:
    """The triggers that make the condition true, in order. None if that depends on their kwargs."""
    if proof.is_true:
        return []
    if proof.kind == "leaf":
        plain = proof.when is None and proof.distinct is None and proof.need is not None
        return [proof.trigger] * ((proof.need or 0) - proof.have) if plain and not is_reserved(proof.trigger) else None
    ways = [way for child in proof.children if not child.is_true and (way := fires_for(child)) is not None]
    lacking = (proof.need or 0) - proof.have
    return [trigger for way in ways[:lacking] for trigger in way] if len(ways) >= lacking > 0 else None


def test_what_explain_calls_missing_once_fired_runs_the_task() -> None:
    """Fires what is missing, after every step of curated histories, if nothing else can stop or outdate it."""
    ran = 0
    for history in histories(CURATED, 5):
        for length in range(1, len(history["steps"]) + 1):
            begun = history | {"steps": history["steps"][:length]}
            names = [
                (task.name, proof.name)
                for uid, _, log in folded(begun)
                for task in explain(uid, log).tasks
                for proof in task.instances
                if uid == "main" and proof.outlook is Outlook.RUNS and proof.name is not None
            ]
            ran += sum(_runs(begun, task, name) for task, name in names)
    assert ran >= 40


def _runs(history: Json, task: str, name: str) -> int:
    """Fires what the instance lacks, in a copy of the session. Returns 0 if that cannot be done by plain fires."""
    uid, driver, log = next(one for one in folded(history) if one[0] == "main")
    (proof,) = [one for one in explain(uid, log, task).tasks[0].instances if one.name == name]
    way = None if proof.condition is None else fires_for(proof.condition)
    rule = next(one for one in driver.partition.view(uid).tasks if one.name == task)
    outdated = any(b"within" in bytes(own) for own in rule.extra.values())
    if not way or outdated or rule.unless or "cancelOn" in rule.extra or "within" in rule.extra:
        return 0
    for number, trigger in enumerate(way):
        clock = driver.partition.view("main").clock
        driver.partition.apply(uid, TriggerFired(trigger=trigger, position=1_000 + number, time=clock))
    (after,) = [one for one in driver.partition.view(uid).instances if one.name == name]
    assert after.status != "unstarted", (history["id"], history["title"], name, way)
    return 1


@pytest.mark.parametrize("part", range(3))
def test_every_explanation_tells_every_change_and_refers_to_events_of_the_session(part: int) -> None:
    compared = 0
    for history in list(histories(CURATED, 5))[part::3]:
        for uid, driver, log in folded(history):
            explanation = explain(uid, log)
            offsets = {event.position for event in log}
            proofs = [proof for task in explanation.tasks for proof in task.instances if proof.name]
            statuses = {proof.name: proof.status for proof in proofs}
            held = [one.by.offset for proof in proofs for one in proof.satisfied if one.by]
            listed = {task.name for task in driver.partition.view(uid).tasks}
            assert statuses == {
                one.name: one.status for one in driver.partition.view(uid).instances if one.task in listed
            }
            assert offsets.issuperset(held), history["id"]
            assert all(line == line.rstrip() for line in explanation_lines(explanation))
            told = [effect for event in explanation.events for effect in event.effects]
            assert not statuses or any(effect.does in {Does.CREATED, Does.BECAME} for effect in told), history["id"]
            compared += 1
    assert compared >= 25
