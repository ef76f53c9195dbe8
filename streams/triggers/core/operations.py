"""The operations of applications and operators on a session, other than firing triggers."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.commands import Decision, Outcome
from triggers.core.events import (
    CloneRequested,
    ConfigurationUpdated,
    MetadataUpdated,
    ReplayRequested,
    SkipRequested,
    StatusSet,
)
from triggers.core.fired import Fired
from triggers.core.kwargs import members_of
from triggers.core.lifecycle import copy_of, create, join_cohort, move, settle
from triggers.core.lifecycle import replay as replay_instance
from triggers.core.rules import fire
from triggers.core.state.cohorts import cohort_with
from triggers.core.state.instance import Instance
from triggers.core.state.session import Session
from triggers.core.statuses import SETTLED, Status, may_be_set
from triggers.core.step import Step
from triggers.errors import WrongStatus

_json: Final = msgspec.json.Encoder().encode


def configure(session: Session, event: ConfigurationUpdated) -> Decision:
    """Adds tasks, or replaces tasks of the same name. Nothing is removed and no instance changes."""
    plan = session.merged(event.configuration)
    if event.if_absent and session.header.configuration:
        return Decision(outcome=Outcome.UNUSED)
    session.configure(plan)
    return Decision(outcome=Outcome.APPLIED)


def replay(session: Session, event: ReplayRequested) -> Decision:
    """Schedules a copy of a failed instance at once, regardless of `after` and `unless`."""
    task, number, _ = _failed(session, event.instance, "replayed")
    step = Step(session, event)
    replay_instance(step, task, number, event.replacement_kwargs)
    return step.decision()


def skip(session: Session, event: SkipRequested) -> Decision:
    """Resolves a failed instance, optionally as if it had finished with a result."""
    task, number, _ = _failed(session, event.instance, "skipped")
    step = Step(session, event)
    instance = move(step, task, number, Status.SKIPPED)
    instance.metadata["cascade"] = _json(event.cascade)
    instance.metadata.pop("result", None)
    instance.result = session.add_payload(event.result)
    if event.cascade:
        fire(step, Fired(session, task, event.result, instance.result))
    return step.decision()


def set_status(session: Session, event: StatusSet) -> Decision:
    """Sets a status that the application chose. It must be in the table of transitions unless forced."""
    task, number, instance = session.find(event.instance)
    if not event.force and not may_be_set(instance.status, event.status):
        raise WrongStatus(
            f'Instance "{_text(event.instance, instance)}" in {instance.status} state cannot be set to'
            f" {event.status!r}; use force to set it anyway"
        )
    step, metadata = Step(session, event), members_of(event.metadata)
    changed = move(step, task, number, event.status)
    changed.metadata |= metadata
    changed.settled |= event.status in SETTLED
    if event.cascade:
        fire(step, Fired(session, task, event.cascade_kwargs))
    return step.decision()


def set_metadata(session: Session, event: MetadataUpdated) -> Decision:
    """Merges metadata into an instance. Its status and the status's time stamp do not change."""
    task, number, _ = session.find(event.instance)
    metadata = members_of(event.metadata)
    instance = session.change(task, number)
    instance.metadata |= metadata
    instance.modified = event.time
    return Decision(outcome=Outcome.APPLIED)


def clone(session: Session, event: CloneRequested) -> Decision:
    """Adds an unstarted copy, which waits like any other instance."""
    task, number, instance = session.find(event.instance)
    step = Step(session, event)
    copy = copy_of(step, instance, number)
    if cohort := cohort_with(session.task_state(task), number):
        settle(copy, cohort)
    join_cohort(step, task, create(step, task, copy), copy)
    return step.decision()


def _failed(session: Session, name: str, wanted: str) -> tuple[str, int, Instance]:
    task, number, instance = session.find(name)
    if instance.status != Status.FAILED:
        raise WrongStatus(f'Instance "{_text(name, instance)}" in {instance.status} state cannot be {wanted}!')
    return task, number, instance


def _text(name: str, instance: Instance) -> str:
    return f"{name} ({instance.status})"
