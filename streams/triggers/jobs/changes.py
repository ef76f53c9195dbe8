"""The event that a job publishes for an item, whether it still should, and the effect of the event. Pure."""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from triggers.core.events import (
    AdoptionRequested,
    CancelRequested,
    DeletionRequested,
    ReplayRequested,
    SkipRequested,
)
from triggers.core.statuses import CANCELLED, Status
from triggers.core.view import InstanceView, SessionView
from triggers.jobs.job import Job
from triggers.jobs.records import WHOLE_SESSIONS, Action, ItemResult, ItemState, JobChange, JobItem
from triggers.jobs.selection import obstacle_of_instance

_GONE = "the session is gone"
JobEvent = ReplayRequested | SkipRequested | CancelRequested | DeletionRequested | AdoptionRequested


def event_of(job: Job, item: JobItem) -> JobEvent:
    """Returns the event of an item. Its id says which job caused it, and makes any copy of it a duplicate."""
    change, actor, event_id = job.head.change, job.head.actor, f"{job.id}/{item.instance}"
    match change.action:
        case Action.REPLAY:
            kwargs = None if change.kwargs is None else msgspec.json.encode(change.kwargs)
            return ReplayRequested(instance=item.instance, replacement_kwargs=kwargs, actor=actor, id=event_id)
        case Action.SKIP:
            return SkipRequested(
                instance=item.instance,
                cascade=change.cascade,
                result=change.simulated_result,
                actor=actor,
                id=event_id,
            )
        case Action.CANCEL:
            return CancelRequested(instance=item.instance, terminate=change.terminate, actor=actor, id=event_id)
        case Action.DELETE:
            return DeletionRequested(actor=actor, id=event_id)
        case Action.ADOPT:
            return AdoptionRequested(name=change.rules, version=change.version, actor=actor, id=event_id)
        case Action.REDRIVE | Action.DISCARD:
            raise TypeError(f"{change.action} marks dead letters and publishes no event of its own")
        case _:
            assert_never(change.action)


def obstacle_to(change: JobChange, item: JobItem, session: SessionView | None) -> str:
    """Returns why an item no longer needs an event, or empty text."""
    if session is None or session.created != item.created:
        return _GONE
    if change.action in WHOLE_SESSIONS:
        return "it has this version already" if change.action is Action.ADOPT and _has_rules(session, change) else ""
    instance = _find_instance(session, item)
    if instance is None:
        return "the session no longer has this instance"
    return obstacle_of_instance(instance, change.action, session.edition)


def result_of(change: JobChange, number: int, item: JobItem, session: SessionView | None) -> ItemResult:
    """Returns the result of an item, according to its session after the event."""
    obstacle, action = obstacle_to(change, item, session), change.action
    if action is Action.DELETE:
        if obstacle:
            return ItemResult(item=number, state=ItemState.APPLIED, detail="deleted")
        return ItemResult(item=number, state=ItemState.REFUSED, detail="the session is still there")
    if action is Action.ADOPT:
        return _result_of_adoption(change, number, obstacle, session)
    instance = None if session is None else _find_instance(session, item)
    if session is None or instance is None:
        return ItemResult(item=number, state=ItemState.REFUSED, detail=obstacle or _GONE)
    is_done = instance.status in _STATUSES_AFTER[action]
    return ItemResult(
        item=number,
        state=ItemState.APPLIED if is_done else ItemState.REFUSED,
        detail=instance.status,
        replays=[each.name for each in session.instances if each.parent == item.instance] if is_done else [],
    )


def refused_after(result: ItemResult) -> ItemResult:
    """Returns the result of an item whose instance has the intended status, but by another event."""
    detail = f"another event came first: it is {result.detail} already"
    return ItemResult(item=result.item, state=ItemState.REFUSED, detail=detail)


def _result_of_adoption(change: JobChange, number: int, obstacle: str, session: SessionView | None) -> ItemResult:
    if session is not None and _has_rules(session, change):
        return ItemResult(item=number, state=ItemState.APPLIED, detail=f"version {change.version}")
    why = obstacle or "the session does not accept this version; its dead letter says why"
    return ItemResult(item=number, state=ItemState.REFUSED, detail=why)


def _has_rules(session: SessionView, change: JobChange) -> bool:
    rules = session.rules
    return rules is not None and (rules.name, rules.version) == (change.rules, change.version)


_STATUSES_AFTER: Final[dict[Action, frozenset[str]]] = {
    Action.REPLAY: frozenset({Status.REPLAYED}),
    Action.SKIP: frozenset({Status.SKIPPED}),
    Action.CANCEL: frozenset({CANCELLED, Status.ABANDONED, Status.SKIPPED}),
}


def _find_instance(session: SessionView, item: JobItem) -> InstanceView | None:
    return next((each for each in session.instances if each.name == item.instance), None)
