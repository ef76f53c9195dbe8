"""Compares the recorded runs of a session with its runs under the new rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType

from msgspec import Raw, Struct

from triggers.analysis.backtest.assumptions import Assumptions, NewRules, ResultSource
from triggers.analysis.backtest.recorded import Attempt, Forwarded, Recorded, Run
from triggers.analysis.backtest.rerun import ExpressionFailure, NewRun, Rerun
from triggers.core.events import Event
from triggers.core.state.plans import Plans


class RunChange(StrEnum):
    """The way in which a run differs."""

    ADDED = "added"
    REMOVED = "removed"
    KWARGS = "kwargs"
    TARGET = "target"
    """It runs another Celery task, or uses another runner."""
    TIMING = "timing"
    ORDER = "order"
    """It comes before a run that it followed."""
    CANCELLED = "cancelled"
    """`cancelOn` cancels it, or no longer does."""


class ShownRun(Struct, frozen=True, kw_only=True):
    """A run, for output. Times are milliseconds since 1970-01-01 UTC."""

    instance: str
    attempt: int
    run: str
    using: str | None
    kwargs: Raw
    time: int
    event: int | None
    """The offset or line of the event that caused it, or None if that event is assumed."""
    result: ResultSource | None
    """How its result is known, if it is a run under the new rules."""
    cancelled: int | None = None
    """When `cancelOn` cancelled it, if it did."""


class RunDifference(Struct, frozen=True, kw_only=True):
    """One difference of one run."""

    change: RunChange
    task: str
    old: ShownRun | None
    new: ShownRun | None
    judged: bool
    """False if it depends on an unknown result, so that it may not be true."""


class ForwardDifference(Struct, frozen=True, kw_only=True):
    """A trigger that `$forward` fires in another session under one of the rules only."""

    change: RunChange
    """`added` or `removed`."""
    session: str
    trigger: str
    kwargs: Raw
    time: int


class OpenTimer(Struct, frozen=True, kw_only=True):
    """A timer of the new rules that is due after the last event. What it will find is not known."""

    instance: str
    kind: str
    """Its kind in edition 2, or empty."""
    due: int


class SessionDifference(Struct, frozen=True, kw_only=True):
    """The effect of other rules on a session."""

    session: str
    changes: list[RunDifference]
    """The differences by time; empty if there are none."""
    results: dict[str, int]
    """The number of runs by how their result is known (`ResultSource`)."""
    unjudged: list[str]
    """The tasks that depend on an unknown result."""
    refused: int
    """The number of recorded operations that the session would have refused under the new rules."""
    forwards: list[ForwardDifference] = []
    """The differences in what `$forward` fires, by time. What those triggers do in other sessions is not known."""
    open: list[OpenTimer] = []
    """Timers that are due after the last event. Their tasks, and those that wait for them, are not judged."""
    failures: list[ExpressionFailure] = []
    """Expressions that could not be evaluated under the new rules."""


def compare(
    uid: str, events: Sequence[Event], rules: NewRules, assumptions: Assumptions, plans: Plans
) -> SessionDifference:
    """Folds all of the session's events under the recorded rules and under the new ones, and compares the runs."""
    recorded = Recorded(uid, events, plans)
    rerun = Rerun(uid, recorded, assumptions, plans)
    rerun.fold(events, rules)
    unjudged, lost = rerun.unjudged(), rerun.unknown_attempts()
    changes = [
        RunDifference(
            change=change,
            task=task,
            old=_shown(old, cancelled=recorded.cancelled),
            new=None if new is None else _shown(new.run, new.source, rerun.cancelled),
            judged=task not in unjudged and not _repeats_unknown(old, new, lost),
        )
        for change, task, old, new in _changes(recorded, rerun)
    ]
    return SessionDifference(
        session=uid,
        changes=sorted(changes, key=_when),
        results=rerun.results(),
        unjudged=sorted(unjudged),
        refused=rerun.refused,
        forwards=_forwards(recorded.forwards, rerun.forwards),
        open=[OpenTimer(instance=one.instance, kind=one.kind, due=one.due) for one in rerun.open_timers()],
        failures=list(rerun.failures.values()),
    )


def _repeats_unknown(old: Run | None, new: NewRun | None, lost: Collection[Attempt]) -> bool:
    """Returns whether a run without a counterpart may repeat an attempt whose result is not known."""
    if old is None:
        return new is not None and Attempt(new.run.instance, new.run.attempt - 1) in lost
    return new is None and old.attempt > 1 and any(attempt.task == old.task for attempt in lost)


def _forwards(old: Sequence[Forwarded], new: Sequence[Forwarded]) -> list[ForwardDifference]:
    """Pairs equal `$forward`s, whatever their times, and returns the others."""
    left, added = list(old), list[Forwarded]()
    for forward in new:
        same = next((one for one in left if one[:3] == forward[:3]), None)
        if same is None:
            added.append(forward)
        else:
            left.remove(same)
    marked = [*((RunChange.ADDED, one) for one in added), *((RunChange.REMOVED, one) for one in left)]
    return [
        ForwardDifference(
            change=change, session=one.session, trigger=one.trigger, kwargs=Raw(one.kwargs), time=one.time
        )
        for change, one in sorted(marked, key=lambda each: each[1].time)
    ]


Difference = tuple[RunChange, str, Run | None, NewRun | None]


def _changes(recorded: Recorded, rerun: Rerun) -> Iterator[Difference]:
    old, new = recorded.runs, rerun.runs
    pairs = [(old[one.same], one) for one in new if one.same is not None]
    same = {one.same for one in new}
    gone = [run for number, run in enumerate(old) if number not in same]
    for run in (one for one in new if one.same is None):
        like = _like(run.run, gone)
        if like is None:
            yield RunChange.ADDED, run.run.task, None, run
        else:
            gone.remove(like)
            pairs.append((like, run))
    for lost in gone:
        yield RunChange.REMOVED, lost.task, lost, None
    for before, after in pairs:
        yield from _of_pair(before, after)
        if (before.key in recorded.cancelled) != (after.run.key in rerun.cancelled):
            yield RunChange.CANCELLED, before.task, before, after
    yield from _reordered(old, new)


def _like(run: Run, gone: Sequence[Run]) -> Run | None:
    """Returns the recorded run that it replaces: that of the same instance, else the first of the task, or None."""
    candidates = [one for one in gone if one.task == run.task]
    return min(candidates, key=lambda one: one.key != run.key, default=None)


def _of_pair(old: Run, new: NewRun) -> Iterator[Difference]:
    run = new.run
    if old.kwargs != run.kwargs:
        yield RunChange.KWARGS, run.task, old, new
    if (old.run, old.using) != (run.run, run.using):
        yield RunChange.TARGET, run.task, old, new
    if old.time != run.time:
        yield RunChange.TIMING, run.task, old, new


def _reordered(old: Sequence[Run], new: Sequence[NewRun]) -> Iterator[Difference]:
    """Yields the runs that come before a run that they followed, considering only runs that are in both."""
    common = [one for one in new if one.same is not None]
    for first, second in pairwise(common):
        if first.same is not None and second.same is not None and first.same > second.same:
            yield RunChange.ORDER, first.run.task, old[first.same], first


def _shown(
    run: Run | None, source: ResultSource | None = None, cancelled: Mapping[Attempt, int] = MappingProxyType({})
) -> ShownRun | None:
    if run is None:
        return None
    return ShownRun(
        instance=run.instance,
        attempt=run.attempt,
        run=run.run,
        using=run.using,
        kwargs=Raw(run.kwargs),
        time=run.time,
        event=run.position,
        result=source,
        cancelled=cancelled.get(run.key),
    )


def _when(difference: RunDifference) -> tuple[int, str]:
    runs = [run for run in (difference.old, difference.new) if run is not None]
    return min(run.time for run in runs), runs[0].instance
