"""Finds the causes of instances of edition 2: the events that they hold, what stopped them, and their timers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from triggers.analysis.explain.holdings import held_by_member, orders_by_alias, view_of
from triggers.analysis.explain.trace import Trace
from triggers.analysis.graph.cause import By, Cause
from triggers.core.conditions.condition_view import ConditionView
from triggers.core.edition_2_plan import OUTCOMES
from triggers.core.events import (
    Event,
    TaskFailed,
    TaskFinished,
    TaskRetried,
    TaskStatusChanged,
    TimerFired,
    TriggerFired,
)
from triggers.core.instance_names import parse_instance_name
from triggers.core.statuses import CANCELLED, EXPIRED, Status
from triggers.core.view import InstanceView

_STOPS = frozenset({CANCELLED, EXPIRED, Status.ABANDONED})


class Edition2Causes:
    """Looks at the record of a session of edition 2. For one of edition 1 it finds nothing."""

    def __init__(self, trace: Trace, by_offset: Mapping[int, Event]) -> None:
        self._trace = trace
        self._by_offset = by_offset
        self._taken: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        """The instances that took a status with an event, by the number of the event and the status."""
        for name, history in trace.history.items():
            for step in history:
                self._taken[step].append(name)

    def causes_of(self, one: InstanceView) -> list[Cause]:
        """Returns the causes of an instance, in the order of their events. Those of a parent are the parent's."""
        if self._trace.session.plan.edition_2 is None:
            return []
        born, _ = self._trace.history[one.name][0]
        found = [cause for cause in self._held(one) if one.parent is None or self._is_after(cause, born)]
        found += [
            cause for number, status in self._trace.history[one.name] for cause in self._step(one, number, status)
        ]
        return sorted(dict.fromkeys(found), key=lambda cause: cause.event.offset)

    def _is_after(self, cause: Cause, number: int) -> bool:
        return cause.event.offset > self._trace.refs[number].offset

    # -- what it holds ------------------------------------------------------------------------------------------------

    def _held(self, one: InstanceView) -> Iterator[Cause]:
        for orders in self._orders(one).values():
            for order in orders:
                yield from self._given_by(order)
        if (view := self._view(one)) is not None and view.conditions.unless is not None:
            for leaf in view.conditions.unless.leaves():
                for contribution in view.contributions(leaf):
                    yield from self._given_by(contribution.order, unless=True)

    def _orders(self, one: InstanceView) -> dict[str, list[int]]:
        """Returns the fires that an instance holds, or held when it stopped waiting, by alias."""
        view = self._view(one)
        return self._trace.holdings.held.get(one.name, {}) if view is None else orders_by_alias(view)

    def _view(self, one: InstanceView) -> ConditionView | None:
        """Returns the view of an instance that waits."""
        session, (task, number) = self._trace.session, parse_instance_name(one.name)
        rule, group = session.plan.tasks.get(task), session.waiting.get(task).group_of(number)
        if rule is None or rule.edition_2 is None or group is None:
            return None
        return view_of(session, rule, held_by_member(session, task, group, number))

    def _given_by(self, order: int, *, unless: bool = False) -> Iterator[Cause]:
        """Yields the event behind a fire, or the instances whose outcome it was."""
        number = self._trace.holdings.event_of.get(order)
        if number is None:
            return
        trigger = self._trace.holdings.trigger_of[order]
        task, _, status = trigger.rpartition(":")
        if status in OUTCOMES:
            for name in self._became(task, status, number):
                ref = self._trace.refs[number]
                yield Cause(by=By.RESULT, event=ref, trigger=trigger, instance=name, unless=unless, outcome=status)
            return
        yield self._cause(number, trigger, unless=unless)

    def _became(self, task: str, status: str, number: int) -> list[str]:
        """Returns the instances of the task that took the status with that event."""
        return [name for name in self._taken.get((number, status), ()) if parse_instance_name(name)[0] == task]

    # -- what became of it --------------------------------------------------------------------------------------------

    def _step(self, one: InstanceView, number: int, status: str) -> Iterator[Cause]:
        """Yields the event with which an instance took a status, if that is a cause of its own."""
        event, ref = self._event(number), self._trace.refs[number]
        is_own_timer = isinstance(event, TimerFired) and event.instance == one.name
        stops = status if status in {CANCELLED, EXPIRED} else ""
        if is_own_timer:
            yield Cause(by=By.TIMER, event=ref, trigger=None, instance=one.name, stops=stops)
        elif status in _STOPS:
            trigger = event.trigger if isinstance(event, TriggerFired) else None
            yield self._cause(number, trigger, unless=status == Status.ABANDONED, stops=stops)

    def _cause(self, number: int, trigger: str | None, *, unless: bool = False, stops: str = "") -> Cause:
        event = self._event(number)
        instance = getattr(event, "instance", None)
        return Cause(
            by=_source_of(event),
            event=self._trace.refs[number],
            trigger=trigger,
            instance=instance,
            unless=unless,
            stops=stops,
        )

    def _event(self, number: int) -> Event:
        return self._by_offset[self._trace.refs[number].offset]


def _source_of(event: Event) -> By:
    match event:
        case TriggerFired():
            return By.APPLICATION
        case TimerFired():
            return By.TIMER
        case TaskFinished() | TaskFailed() | TaskStatusChanged() | TaskRetried():
            return By.RESULT
        case _:
            return By.OPERATOR
