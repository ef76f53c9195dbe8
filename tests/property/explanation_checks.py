"""Checks explanations against the naive model alone, by its states before and after each event."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.property.naive_model import Instance, Task
from tests.property.stories import Step, Story, fired_by, own
from tests.support.memory_session import MemorySession

from triggers.analysis.explain.explanation import Does, Effect, EventProof, Explanation, InstanceProof, Outlook, Reason
from triggers.core.events import (
    Event,
    ReplayRequested,
    StatusSet,
    TaskEvent,
    TaskRetried,
    TaskStarted,
    TimerFired,
    TriggerFired,
)

BUSY = {"scheduled", "running"}


def check_explanation(explanation: Explanation, story: Story) -> None:
    """Fails if anything in the explanation is wrong or missing."""
    for proof, step in zip(explanation.events, story.steps, strict=True):
        _check_event(proof, step)
    assert [task.name for task in explanation.tasks] == list(story.tasks)
    by_position = {event.position: event for event in story.log}
    for task in explanation.tasks:
        _check_instances(story, story.tasks[task.name], task.instances, by_position)


# -- events -----------------------------------------------------------------------------------------------------------


def _check_event(proof: EventProof, step: Step) -> None:
    assert proof.event.offset == step.event.position
    for idle in proof.idle:
        if idle.task is None or idle.reason in _AT_ALL:
            assert _AT_ALL[idle.reason](step), f"{idle} is wrong: {step}"
            assert step.before == step.after
            assert proof.effects == []
    if proof.idle == [] and not _quiet(step.event):
        assert step.before != step.after, f"the event should have an effect, but nothing changed: {step}"
    stale = bool(proof.idle) and proof.idle[0].reason in _AT_ALL
    trigger = fired_by(step.event)
    if trigger is not None and not stale:
        _check_rules(proof, step, trigger[0])
    _check_statuses(proof.effects, step)


def _quiet(event: Event) -> bool:
    """Returns whether the event may change nothing in the model's instances."""
    return type(event).__name__ in {"ConfigurationUpdated", "MetadataUpdated", "StatusSet"}


def _check_rules(proof: EventProof, step: Step, trigger: str) -> None:
    """Checks that every rule that uses the trigger moved an instance, or has a true reason why not."""
    reasons = {idle.task: idle for idle in proof.idle}
    for task in step.tasks.values():
        uses = trigger in task.after | task.unless
        if _waits_again(step.event) and own(step.event).startswith(f"{task.name}#"):
            continue
        if uses and not _moved(step, task):
            assert reasons[task.name].reason in _OF_RULES
            assert _OF_RULES[reasons[task.name].reason](step, task, trigger), f"{reasons[task.name]} of {step}"
        else:
            assert task.name not in reasons, f"{reasons[task.name]} of {step}"
        if uses:
            _check_waiting(proof.effects, step, task, trigger)


def _waits_again(event: Event) -> bool:
    """Returns whether the event sets its instance to `unstarted`, so that the instance may take the event's trigger."""
    return isinstance(event, StatusSet) and event.status == "unstarted"


def _moved(step: Step, task: Task) -> bool:
    names = {i.name for i in (*step.before.values(), *step.after.values()) if i.task == task.name} - {own(step.event)}
    return any(step.before.get(name) != step.after.get(name) for name in names)


def _check_waiting(effects: list[Effect], step: Step, task: Task, trigger: str) -> None:
    """Checks which instances took the trigger, or counted it, and keep waiting."""
    waits = [i for i in step.of_task(task.name) if i.status == step.after[i.name].status == "unstarted"]
    took = {i.name for i in waits if trigger not in i.kwargs and trigger in step.after[i.name].kwargs}
    counted = {i.name for i in waits if trigger not in i.seen and trigger in step.after[i.name].seen}
    assert _names(effects, Does.TOOK, task.name) == took
    assert _names(effects, Does.COUNTED, task.name) == counted


def _check_statuses(effects: list[Effect], step: Step) -> None:
    new = step.after.keys() - step.before.keys()
    assert {name for effect in effects for name in _members(effect) if effect.does is Does.CREATED} == new
    last = {name: effect.status for effect in effects if effect.does is Does.BECAME for name in _members(effect)}
    changed = {n: i.status for n, i in step.after.items() if n in step.before and i.status != step.before[n].status}
    started = {n: step.after[n].status for n in new if step.after[n].status != "unstarted"}
    assert (changed | started).items() <= last.items()
    assert all(step.after[name].status == status for name, status in last.items())
    issued = {name for effect in effects if effect.does in {Does.ISSUED, Does.COOLS} for name in _members(effect)}
    attempts = {name for name, i in step.after.items() if i.attempt != step.before.get(name, Instance("", "")).attempt}
    assert issued == attempts | ({own(step.event)} if isinstance(step.event, TimerFired) and effects else set())


def _names(effects: list[Effect], does: Does, task: str) -> set[str]:
    return {name for effect in effects if (effect.does, effect.task) == (does, task) for name in _members(effect)}


def _members(effect: Effect) -> list[str]:
    return [f"{effect.task}#{n}" for first, last in effect.numbers for n in range(first, last + 1)]


def _instance(step: Step) -> Instance:
    return step.before[own(step.event)]


def _of_attempt(step: Step) -> bool:
    assert isinstance(step.event, TaskEvent | TimerFired)
    return step.event.attempt in (0, _instance(step).attempt)


def _is_waiting(i: Instance) -> bool:
    return i.status == "unstarted"


_AT_ALL: dict[Reason, Callable[[Step], bool]] = {
    Reason.UNUSED: lambda s: (
        isinstance(s.event, TriggerFired) and not any(s.event.trigger in t.after | t.unless for t in s.tasks.values())
    ),
    Reason.NOT_ISSUED: lambda s: _instance(s).attempt == 0,
    Reason.SUPERSEDED: lambda s: _instance(s).attempt > 0 and not _of_attempt(s),
    Reason.HAS_RESULT: lambda s: (
        not isinstance(s.event, TimerFired) and _of_attempt(s) and _instance(s).attempt > 0 and _settled(s)
    ),
    Reason.RUNNING: lambda s: isinstance(s.event, TaskStarted) and _of_attempt(s) and not _settled(s),
    Reason.NO_TIMER: lambda s: isinstance(s.event, TimerFired) and not _instance(s).waits_for_timer and _of_attempt(s),
}
"""The check of each reason for no effect on the session."""


def _settled(step: Step) -> bool:
    return _instance(step).status not in BUSY


_OF_RULES: dict[Reason, Callable[[Step, Task, str], bool]] = {
    Reason.HAS_IT: lambda s, task, t: (
        any(map(_is_waiting, s.of_task(task.name)))
        and all(t in i.kwargs or t not in task.after for i in s.of_task(task.name) if _is_waiting(i))
        and all(t in i.seen or t not in task.unless for i in s.of_task(task.name) if _is_waiting(i))
    ),
    Reason.ABANDONED: lambda s, task, t: (
        t != task.and_every and {i.status for i in s.after.values() if i.task == task.name} == {"abandoned"}
    ),
    Reason.STARTED: lambda s, task, t: t in task.after and t != task.and_every and _past_waiting(s, task),
    Reason.TOO_LATE: lambda s, task, t: t not in task.after and t in task.unless and _past_waiting(s, task),
}
"""The check of each reason for no effect on a rule."""


def _past_waiting(step: Step, task: Task) -> bool:
    statuses = {i.status for i in step.after.values() if i.task == task.name}
    return bool(statuses) and "unstarted" not in statuses and statuses != {"abandoned"}


# -- instances --------------------------------------------------------------------------------------------------------


def _check_instances(story: Story, task: Task, proofs: list[InstanceProof], events: dict[int, Event]) -> None:
    names = [name for name, instance in story.instances.items() if instance.task == task.name]
    assert [proof.name for proof in proofs if proof.name] == names
    assert proofs
    for proof in proofs:
        instance = story.instances[proof.name] if proof.name else None
        have = set(story.latest) if instance is None else set(instance.kwargs)
        seen = set(story.latest) if instance is None else instance.seen
        assert {held.trigger for held in proof.satisfied} == task.after & have
        assert {missing.trigger for missing in proof.missing} == task.after - have
        assert {held.trigger for held in proof.unless_fired} == task.unless & seen
        assert set(proof.unless_missing) == task.unless - seen
        kwargs = story.latest if instance is None else instance.kwargs
        for held in proof.satisfied:
            assert held.by is not None
            assert kwargs[held.trigger] == _given(events[held.by.offset], held.trigger)
        for held in proof.unless_fired:
            assert held.by is not None
            fired = fired_by(events[held.by.offset])
            assert fired is not None
            assert fired[0] == held.trigger
        if instance is None or instance.status == "unstarted":
            check_outlook(story, task, proof)


def _given(event: Event, trigger: str) -> object:
    if isinstance(event, ReplayRequested | TaskRetried):
        assert event.replacement_kwargs is not None
        return json.loads(event.replacement_kwargs)[trigger]
    fired = fired_by(event)
    assert fired is not None
    assert fired[0] == trigger
    return fired[1]


def check_outlook(story: Story, task: Task, proof: InstanceProof) -> None:
    """Checks a outlook by firing what is missing."""
    name = proof.name or f"{task.name}#0"
    missing = [missing.trigger for missing in proof.missing]
    used = sorted(task.after | task.unless)
    match proof.outlook:
        case Outlook.RUNS:
            assert missing
            assert status_after(story, missing, name) == "scheduled"
            assert status_after(story, missing[:-1], name) in {"unstarted", None}
            if proof.unless_missing and not set(missing) & set(proof.unless_missing):
                assert status_after(story, [*proof.unless_missing, *missing], name) == "abandoned"
        case Outlook.RUNS_AT_NEXT:
            assert task.after
            assert missing == []
            assert status_after(story, [], name) in {"unstarted", None}
            ends = {t: "abandoned" if proof.unless_missing == [t] else "scheduled" for t in task.after}
            assert {t: status_after(story, [t], name) for t in task.after} == ends
        case Outlook.ABANDONED:
            assert missing
            assert proof.unless_missing
            assert status_after(story, missing, name) == "abandoned"
        case Outlook.ABANDONED_AT_NEXT:
            assert proof.unless_missing == []
            assert {status_after(story, [t], name) for t in used} == {"abandoned"}
        case Outlook.NEVER:
            assert not task.after
            assert status_after(story, sorted(set(story.latest) - task.unless), name) in {"unstarted", None}
        case _:
            raise AssertionError(f"an unstarted instance is not {proof.outlook}")


def status_after(story: Story, triggers: list[str], name: str) -> str | None:
    """Returns the instance's status after these triggers fire one by one."""
    fork = MemorySession(uid=story.core.uid)
    fork.rows.update(story.core.rows)
    fork.log = list(story.core.log)
    for trigger in triggers:
        fork.fire(trigger)
    return fork.statuses().get(name)
