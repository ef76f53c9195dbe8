"""Explanations are true by the naive model, which shares no code with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.property.explanation_checks import check_explanation
from tests.property.scripts import TRIGGERS
from tests.property.stories import story_of

from triggers.analysis.explain.explanation import EventProof, Explanation, InstanceProof, Outlook, Reason, TaskProof
from triggers.analysis.explain.proofs import explain
from triggers.core.events import TriggerFired

NOT_TASKS = [trigger for trigger in TRIGGERS if not trigger.startswith("t_")]


@pytest.mark.parametrize("seed", range(40))
def test_an_explanation_of_a_random_session_is_true(seed: int) -> None:
    story = story_of(Random(seed), 60, TRIGGERS if seed % 2 else NOT_TASKS)  # noqa: S311  # a repeatable script

    check_explanation(explain(story.core.uid, story.log), story)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.shrink})
@given(st.randoms(use_true_random=False))
def test_what_is_missing_once_fired_runs_the_task(random: Random) -> None:
    try:
        story = story_of(random, 30, TRIGGERS)
    except AssertionError:
        reject()  # where model and core differ is another test's matter

    check_explanation(explain(story.core.uid, story.log), story)


@pytest.mark.parametrize("seed", range(20))
def test_an_event_that_comes_twice_is_a_duplicate_and_changes_no_other_explanation(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # a repeatable script
    story = story_of(random, 40, TRIGGERS)
    log = [replace(event, position=2 * event.position) for event in story.log]
    number = random.choice([number for number, event in enumerate(log) if isinstance(event, TriggerFired)])
    log[number] = first = replace(log[number], id="twice")
    where = random.randrange(number, len(log)) + 1
    again = replace(first, position=log[where - 1].position + 1)

    found = explain(story.core.uid, [*log[:where], again, *log[where:]])
    without = explain(story.core.uid, log)

    (idle,) = found.events[where].idle
    assert (idle.reason, idle.by and idle.by.offset, idle.detail) == (Reason.DUPLICATE, first.position, "twice")
    assert (found.events[where].fires, found.events[where].effects) == ([], [])
    assert [*found.events[:where], *found.events[where + 1 :]] == without.events
    assert found.tasks == without.tasks


SEEDS_OF_LIES = range(12)
RULE_REASONS = [Reason.HAS_IT, Reason.STARTED, Reason.ABANDONED, Reason.TOO_LATE]
RESULT_REASONS = [Reason.NOT_ISSUED, Reason.SUPERSEDED, Reason.HAS_RESULT, Reason.RUNNING]
WAITING = [v for v in Outlook if v is not Outlook.STARTED]


def lies(explanation: Explanation) -> Iterator[tuple[object, Explanation]]:
    """Yields the explanation with a single error, in every possible way."""
    for number, proof in enumerate(explanation.events):
        for n, idle in enumerate(proof.idle):
            reasons = RULE_REASONS if idle.reason in RULE_REASONS else RESULT_REASONS
            for reason in set(reasons) - {idle.reason}:
                idles = [*proof.idle[:n], replace(idle, reason=reason), *proof.idle[n + 1 :]]
                yield (idle.reason, reason), with_event(explanation, number, replace(proof, idle=idles))
            yield (idle.reason, None), with_event(explanation, number, replace(proof, idle=proof.idle[:n]))
    for number, task in enumerate(explanation.tasks):
        for n, instance in enumerate(task.instances):
            for what, wrong in wrong_instances(instance):
                instances = [*task.instances[:n], wrong, *task.instances[n + 1 :]]
                yield what, with_task(explanation, number, replace(task, instances=instances))


def wrong_instances(proof: InstanceProof) -> Iterator[tuple[object, InstanceProof]]:
    if proof.outlook is not Outlook.STARTED:
        for outlook in set(WAITING) - {proof.outlook}:
            yield (proof.outlook, outlook), replace(proof, outlook=outlook)
    if proof.missing:
        yield "a missing trigger left out", replace(proof, missing=proof.missing[1:])
    if proof.satisfied:
        yield "a satisfied trigger left out", replace(proof, satisfied=proof.satisfied[1:])
    if proof.unless_fired:
        yield "unless further away", replace(proof, unless_fired=[])


def with_event(explanation: Explanation, number: int, proof: EventProof) -> Explanation:
    return replace(explanation, events=[*explanation.events[:number], proof, *explanation.events[number + 1 :]])


def with_task(explanation: Explanation, number: int, task: TaskProof) -> Explanation:
    return replace(explanation, tasks=[*explanation.tasks[:number], task, *explanation.tasks[number + 1 :]])


def test_every_wrong_reason_is_caught() -> None:
    planted: Counter[object] = Counter()
    for seed in SEEDS_OF_LIES:
        story = story_of(Random(seed), 40, NOT_TASKS)  # noqa: S311  # a repeatable script
        for what, lie in lies(explain(story.core.uid, story.log)):
            planted[what] += 1
            with pytest.raises((AssertionError, KeyError)):
                check_explanation(lie, story)

    assert {of for of, _ in (what for what in planted if isinstance(what, tuple))} >= {*RULE_REASONS, Reason.UNUSED}
    assert planted["a missing trigger left out"]
