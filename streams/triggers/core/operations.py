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
from triggers.core.fired import FiredKwargs
from triggers.core.kwargs import split_members
from triggers.core.lifecycle import (
    change_status,
    copy_instance,
    create_instance,
    join_cohort,
    replay_instance,
    take_over_fills,
)
from triggers.core.rules import fire_trigger
from triggers.core.state.cohorts import find_cohort
from triggers.core.state.instance import Instance
from triggers.core.state.session import Session
from triggers.core.statuses import CLOSES_ATTEMPT, Status, may_be_set
from triggers.core.step import DecisionBuilder
from triggers.errors import WrongStatus

_json: Final = msgspec.json.Encoder().encode


def update_configuration(session: Session, event: ConfigurationUpdated) -> Decision:
    """Adds tasks, or replaces tasks of the same name. Nothing is removed and no instance changes."""
    plan = session.merge_configuration(event.configuration)
    if event.if_absent and session.header.configuration:
        return Decision(outcome=Outcome.UNUSED)
    session.configure(plan)
    return Decision(outcome=Outcome.APPLIED)


def replay_failed(session: Session, event: ReplayRequested) -> Decision:
    """Schedules a copy of a failed instance at once, regardless of `after` and `unless`."""
    task, number, _ = _find_failed(session, event.instance, "replayed")
    builder = DecisionBuilder(session, event)
    replay_instance(builder, task, number, event.replacement_kwargs)
    return builder.build()


def skip_failed(session: Session, event: SkipRequested) -> Decision:
    """Resolves a failed instance, optionally as if it had finished with a result."""
    task, number, _ = _find_failed(session, event.instance, "skipped")
    builder = DecisionBuilder(session, event)
    instance = change_status(builder, task, number, Status.SKIPPED)
    instance.metadata["cascade"] = _json(event.cascade)
    instance.metadata.pop("result", None)
    instance.result = session.add_payload(event.result)
    if event.cascade:
        fire_trigger(builder, FiredKwargs(session, task, event.result, instance.result))
    return builder.build()


def set_status(session: Session, event: StatusSet) -> Decision:
    """Sets a status that the application chose. It must be in the table of transitions unless forced."""
    task, number, instance = session.find_instance(event.instance)
    if not event.force and not may_be_set(instance.status, event.status):
        raise WrongStatus(
            f'Instance "{_describe(event.instance, instance)}" in {instance.status} state cannot be set to'
            f" {event.status!r}; use force to set it anyway"
        )
    builder, metadata = DecisionBuilder(session, event), split_members(event.metadata)
    changed = change_status(builder, task, number, event.status)
    changed.metadata |= metadata
    changed.attempt_closed |= event.status in CLOSES_ATTEMPT
    if event.cascade:
        fire_trigger(builder, FiredKwargs(session, task, event.cascade_kwargs))
    return builder.build()


def set_metadata(session: Session, event: MetadataUpdated) -> Decision:
    """Merges metadata into an instance. Its status and the status's time stamp do not change."""
    task, number, _ = session.find_instance(event.instance)
    metadata = split_members(event.metadata)
    instance = session.change_instance(task, number)
    instance.metadata |= metadata
    instance.modified = event.time
    return Decision(outcome=Outcome.APPLIED)


def clone_instance(session: Session, event: CloneRequested) -> Decision:
    """Adds an unstarted copy, which waits like any other instance."""
    task, number, instance = session.find_instance(event.instance)
    builder = DecisionBuilder(session, event)
    copy = copy_instance(builder, instance, number)
    if cohort := find_cohort(session.task_state(task), number):
        take_over_fills(copy, cohort)
    join_cohort(builder, task, create_instance(builder, task, copy), copy)
    return builder.build()


def _find_failed(session: Session, name: str, wanted: str) -> tuple[str, int, Instance]:
    task, number, instance = session.find_instance(name)
    if instance.status != Status.FAILED:
        raise WrongStatus(f'Instance "{_describe(name, instance)}" in {instance.status} state cannot be {wanted}!')
    return task, number, instance


def _describe(name: str, instance: Instance) -> str:
    return f"{name} ({instance.status})"
