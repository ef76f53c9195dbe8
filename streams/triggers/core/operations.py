"""The operations of applications and operators on a session, other than firing triggers."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core import edition_2_attempts
from triggers.core.commands import Outcome
from triggers.core.conditions.held import Held
from triggers.core.decision import Decision
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.events import (
    CancelRequested,
    CloneRequested,
    ConfigurationUpdated,
    MetadataUpdated,
    ReplayRequested,
    SkipRequested,
    StatusSet,
)
from triggers.core.finishing import finish
from triggers.core.fired_kwargs import FiredKwargs
from triggers.core.groups import add_to_group
from triggers.core.kwargs import split_members
from triggers.core.lifecycle import (
    cancel_instance,
    change_status,
    copy_instance,
    create_instance,
    join_cohort,
    replay_instance,
    rule_of,
    take_over_fills,
)
from triggers.core.rules import fire_trigger
from triggers.core.state.cohorts import find_cohort
from triggers.core.state.group_parts import join_parts
from triggers.core.state.held_fires import held_fires, store_fires
from triggers.core.state.instance import Instance
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.session import Session
from triggers.core.statuses import (
    CLOSES_ATTEMPT,
    SKIPPABLE,
    Status,
    describe_refusal,
    is_resolved,
    may_be_replayed,
    may_be_set,
)
from triggers.core.updates import switch_rules
from triggers.errors import RulesLocked, WrongStatus

_json: Final = msgspec.json.Encoder().encode


def update_configuration(session: Session, event: ConfigurationUpdated) -> Decision:
    """Adds tasks, or replaces tasks of the same name. Nothing is removed, and no instance changes its status.

    Raises InvalidConfiguration, and RulesLocked if the session's published rules allow no update.
    """
    is_ignored = event.if_absent and bool(session.header.configuration)
    if not is_ignored:
        _check_unlocked(session)
    plan = session.merge_configuration(event.configuration)
    if is_ignored:
        return Decision(outcome=Outcome.UNUSED)
    before = session.plan
    _record_replaced(session, event.configuration)
    session.configure(plan)
    switch_rules(session, before, event.recorded or event.time)
    return Decision(outcome=Outcome.APPLIED)


def _check_unlocked(session: Session) -> None:
    bound = session.header.published
    rules = None if bound is None else session.catalog.version(bound.name, bound.version)
    if rules is not None and rules.locked:
        raise RulesLocked(
            f"session {session.uid!r:.300}: its rules {rules.name!r} (version {rules.version}) are locked;"
            " publish another version of them"
        )


def _record_replaced(session: Session, configuration: bytes) -> None:
    """Records which tasks of its published rules a session has replaced. A later version must not remove them."""
    bound = session.header.published
    rules = None if bound is None else session.catalog.version(bound.name, bound.version)
    if bound is not None and rules is not None:
        replaced = split_members(configuration).keys() & session.published_plan(rules).tasks.keys()
        bound.replaced = sorted(replaced.union(bound.replaced))


def replay_failed(session: Session, event: ReplayRequested) -> Decision:
    """Schedules a copy of a failed instance at once, regardless of its conditions.

    In edition 2, an expired or cancelled instance can be replayed, too.
    """
    loaded = session.instances.find(event.instance)
    if not may_be_replayed(status := loaded.instance.status, session.plan.edition):
        raise WrongStatus(describe_refusal(loaded.name, status, "replayed"))
    builder = DecisionBuilder(session, event)
    replay = edition_2_attempts.replay_instance if builder.is_edition_2 else replay_instance
    replay(builder, loaded, event.replacement_kwargs)
    return finish(builder)


def skip_failed(session: Session, event: SkipRequested) -> Decision:
    """Resolves a failed instance, optionally as if it had finished with a result."""
    loaded = session.instances.find(event.instance)
    if (status := loaded.instance.status) not in SKIPPABLE:
        raise WrongStatus(describe_refusal(loaded.name, status, "skipped"))
    builder, instance = DecisionBuilder(session, event), loaded.instance
    change_status(builder, loaded, Status.SKIPPED)
    instance.metadata["cascade"] = _json(event.cascade)
    instance.metadata.pop("result", None)
    instance.result = session.payloads.add(event.result)
    if event.cascade:
        fire_trigger(builder, FiredKwargs(session, loaded.task, event.result, instance.result))
    return finish(builder)


def cancel(session: Session, event: CancelRequested) -> Decision:
    """Ends an instance that is neither resolved nor failed.

    In edition 2 it becomes cancelled, and the command of its attempt is withdrawn. Edition 1 has no such status: an
    instance that waits is abandoned, and any other one is skipped without a cascade, so that the result of its attempt
    will be stale.
    """
    loaded = session.instances.find(event.instance)
    builder, status = DecisionBuilder(session, event), loaded.instance.status
    if is_resolved(status, session.plan.edition) or status == Status.FAILED:
        raise WrongStatus(describe_refusal(event.instance, status, "cancelled"))
    if builder.is_edition_2:
        cancel_instance(builder, loaded, terminate=event.terminate)
        return finish(builder)
    loaded.instance.attempt_closed = True
    change_status(builder, loaded, Status.ABANDONED if status == Status.UNSTARTED else Status.SKIPPED)
    return finish(builder)


def set_status(session: Session, event: StatusSet) -> Decision:
    """Sets a status that the application chose. It must be in the table of transitions unless forced."""
    loaded = session.instances.find(event.instance)
    instance = loaded.instance
    if not event.force and not may_be_set(instance.status, event.status, session.plan.edition):
        raise WrongStatus(describe_refusal(loaded.name, instance.status, f'set to "{event.status}" without force'))
    builder, metadata = DecisionBuilder(session, event), split_members(event.metadata)
    change_status(builder, loaded, event.status)
    instance.metadata |= metadata
    instance.attempt_closed |= event.status in CLOSES_ATTEMPT
    if event.cascade:
        fire_trigger(builder, FiredKwargs(session, loaded.task, event.cascade_kwargs))
    return finish(builder)


def set_metadata(session: Session, event: MetadataUpdated) -> Decision:
    """Merges metadata into an instance. Its status and the status's timestamp do not change."""
    loaded = session.instances.find(event.instance)
    metadata = split_members(event.metadata)
    session.instances.mark_changed(loaded)
    loaded.instance.metadata |= metadata
    loaded.instance.modified = event.time
    return finish(DecisionBuilder(session, event))


def clone_instance(session: Session, event: CloneRequested) -> Decision:
    """Adds an unstarted copy, which waits like any other instance."""
    loaded = session.instances.find(event.instance)
    builder = DecisionBuilder(session, event)
    copy = copy_instance(builder, loaded)
    if builder.is_edition_2:
        return _clone_waiting(builder, loaded, copy)
    if cohort := find_cohort(session.task_state(loaded.task), loaded.number):
        take_over_fills(copy, cohort)
        store_fires(copy, held_fires(loaded.instance, cohort))
    join_cohort(builder, create_instance(builder, loaded.task, copy))
    return builder.build()


def _clone_waiting(builder: DecisionBuilder, loaded: LoadedInstance, copy: Instance) -> Decision:
    """Lets the copy wait. It holds what the instance holds, if the instance waits; otherwise it begins with nothing."""
    group = builder.session.waiting.get(loaded.task).group_of(loaded.number)
    held = Held() if group is None else join_parts(group.held, loaded.instance.held)
    rule = rule_of(builder.session, loaded.task)
    add_to_group(builder, rule, create_instance(builder, loaded.task, copy), msgspec.structs.replace(held))
    return finish(builder)
