"""Records which fires of a session of edition 2 its instances hold, and what they held when they stopped waiting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from triggers.analysis.explain.event_words import reason_of
from triggers.analysis.explain.explanation import LeafReaction, LeafVerdict
from triggers.analysis.explain.leaf_verdicts import Fired, verdicts
from triggers.core.commands import Outcome
from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.evaluator import Evaluator
from triggers.core.conditions.held import Held
from triggers.core.contribution import Contribution
from triggers.core.decision import Decision
from triggers.core.events import Event, StatusSet, TaskFailed, TaskStatusChanged, TimerFired
from triggers.core.instance_names import instance_name, parse_instance_name
from triggers.core.plan import Rule
from triggers.core.state.group_parts import join_parts
from triggers.core.state.latest import order_in_edition_1
from triggers.core.state.session import Session
from triggers.core.state.waiting import Group
from triggers.core.task_offer import latest_of

_ACCEPTING = frozenset({LeafReaction.ACCEPTED, LeafReaction.CANDIDATE})
_NOTHING = frozenset({Outcome.DUPLICATE, Outcome.STALE, Outcome.DELETED})


class BeforeAndAfter(NamedTuple):
    """A session before an event and after it."""

    before: Session
    after: Session


class Stop(NamedTuple):
    """The end of an instance that was stopped or failed, and the reason."""

    status: str
    why: str


class Holdings:
    """The outcome of each fire of one session. Its memory grows with the session."""

    def __init__(self) -> None:
        self.event_of: dict[int, int] = {}
        """The event that caused each fire, by the number of the fire in the session."""
        self.trigger_of: dict[int, str] = {}
        self.verdicts: list[LeafVerdict] = []
        """The reactions of the leaves to the triggers that the last event fired."""
        self.fired: list[Fired] = []
        """The triggers that the last event fired."""
        self.held: dict[str, dict[str, list[int]]] = {}
        """The fires that an instance held when it stopped waiting, by instance and alias."""
        self.stops: dict[str, Stop] = {}

    def record(self, number: int, event: Event, decision: Decision, sessions: BeforeAndAfter) -> None:
        """Records what the event with this number did."""
        self.verdicts, self.fired = [], []
        if decision.outcome in _NOTHING:
            return
        self.fired = list(_fires(decision, sessions))
        self.event_of |= dict.fromkeys((fire.order for fire in self.fired), number)
        self.trigger_of |= {fire.order: fire.trigger for fire in self.fired}
        self.verdicts = [verdict for fire in self.fired for verdict in verdicts(sessions.after, fire)]
        for name, status in decision.changed:
            self._record_status(event, name, status, sessions)

    def record_in_edition_1(self, number: int, event: Event, decision: Decision) -> None:
        """Records what an event of edition 1 fires, because instances may hold it when edition 2 begins."""
        order = order_in_edition_1(event.position)
        for fire in decision.fires:
            self.event_of[order], self.trigger_of[order] = number, fire.trigger

    def _record_status(self, event: Event, name: str, status: str, sessions: BeforeAndAfter) -> None:
        task, number = parse_instance_name(name)
        rule, group = sessions.after.plan.tasks.get(task), sessions.before.waiting.get(task).group_of(number)
        if rule is not None and sessions.after.waiting.get(task).group_of(number) is None:
            if group is not None:
                self.held[name] = self._at_the_end(rule, group, number, sessions)
            elif name not in self.held:
                self._record_new(event, rule, name, sessions)
        by_hand = isinstance(event, StatusSet | TaskStatusChanged) and event.instance == name
        if why := "" if by_hand else self._why(event, name, status, sessions):
            self.stops[name] = Stop(status, why)

    def _at_the_end(self, rule: Rule, group: Group, number: int, sessions: BeforeAndAfter) -> dict[str, list[int]]:
        """Returns what an instance held before the event, and what of the event its leaves accepted."""
        session = sessions.before
        view = view_of(session, rule, held_by_member(session, rule.name, group, number))
        orders_of_alias = orders_by_alias(view)
        for alias, leaf in view.conditions.by_alias.items():
            orders = [fire.order for fire in self._accepted_by(rule.name, alias)]
            if alias not in orders_of_alias or not (leaf.correlated or view.is_closed(leaf)):
                orders_of_alias[alias] = [*orders_of_alias.get(alias, []), *orders]
        return orders_of_alias

    def _record_new(self, event: Event, rule: Rule, name: str, sessions: BeforeAndAfter) -> None:
        """Records what an instance holds that has not waited: it is a replay, or it was ready when it was created."""
        instance = sessions.after.instances.find(name).instance
        if instance.parent >= 0:
            if getattr(event, "replacement_kwargs", None) is None:
                self.held[name] = self.held.get(instance_name(rule.name, instance.parent), {})
            return
        leaves = {} if rule.edition_2 is None else rule.edition_2.conditions.by_alias
        memory = sessions.before.memories.get(rule.name).slots
        orders_of_alias: dict[str, list[int]] = {}
        for alias in leaves.keys() & instance.kwargs.keys():
            latest = latest_of(sessions.before, leaves[alias].trigger) if leaves[alias].is_latest else None
            known = list(memory.get(leaves[alias].slot, ())) if latest is None else [latest]
            known += [fire.contribution for fire in self._accepted_by(rule.name, alias) if fire.contribution]
            text = sessions.after.payloads.read(instance.kwargs[alias])
            orders_of_alias[alias] = _orders_of(text, known, is_list=leaves[alias].passes_list)
        self.held[name] = orders_of_alias

    def _accepted_by(self, task: str, alias: str) -> list[Fired]:
        return [fire for fire in self.fired if self._accepts(task, alias, fire.trigger)]

    def _accepts(self, task: str, alias: str, trigger: str) -> bool:
        verdicts = [one for one in self.verdicts if (one.task, one.alias, one.trigger) == (task, alias, trigger)]
        return any(one.verdict in _ACCEPTING and one.directive in {"after", "andEvery"} for one in verdicts)

    def _why(self, event: Event, name: str, status: str, sessions: BeforeAndAfter) -> str:
        task, _ = parse_instance_name(name)
        rule = sessions.after.plan.tasks.get(task)
        if rule is None or rule.edition_2 is None:
            return ""
        match status:
            case "expired" if isinstance(event, TimerFired):
                return "its deadline was over before its conditions were true"
            case "cancelled":
                names = self._accepted(task, "cancelOn")
                return f"cancelOn accepted {names}" if names else ""
            case "abandoned":
                names = self._accepted(task, "unless")
                return f"its unless became true when {names} fired" if names else "its unless became true"
            case "failed":
                return _why_failed(event, rule, sessions.after.instances.find(name).instance.metadata)
            case _:
                return ""

    def _accepted(self, task: str, directive: str) -> str:
        verdicts = [one for one in self.verdicts if (one.task, one.directive) == (task, directive)]
        names = dict.fromkeys(_with_when(one) for one in verdicts if one.verdict in _ACCEPTING)
        return " and ".join(names)


def _with_when(verdict: LeafVerdict) -> str:
    return verdict.trigger if verdict.when is None else f"{verdict.trigger} (when {verdict.when})"


def _why_failed(event: Event, rule: Rule, metadata: Mapping[str, bytes]) -> str:
    """Says why an instance failed for good: the engine's own reason, or the exception that is not tried again."""
    retry = None if rule.edition_2 is None else rule.edition_2.retry
    if not isinstance(event, TaskFailed):
        return str(msgspec.json.decode(metadata.get("exceptionInfo", b'""')))
    if retry is None:
        return reason_of(event)
    types = f" of {', '.join(retry.on)}" if retry.on is not None else ""
    return f"{reason_of(event)}; retry allows {retry.attempts} attempts{types}"


def _orders_of(text: bytes, known: list[Contribution], *, is_list: bool) -> list[int]:
    """Returns the fires that gave an instance these kwargs; empty if they are not among the known ones."""
    if not is_list:
        return [each.order for each in known if each.kwargs == text][-1:]
    for start in range(len(known)):
        if b"[" + b",".join(each.kwargs for each in known[start:]) + b"]" == text:
            return [each.order for each in known[start:]]
    return []


def _fires(decision: Decision, sessions: BeforeAndAfter) -> Iterator[Fired]:
    """Yields the triggers that fired, with what they were fired with. The last one of a name is known exactly."""
    header = sessions.after.header.edition_2
    last = 0 if header is None else header.fires
    for order, fire in enumerate(decision.fires, last - len(decision.fires) + 1):
        latest = latest_of(sessions.after, fire.trigger)
        yield Fired(fire.trigger, order, latest if latest is not None and latest.order == order else None)


def held_by_member(session: Session, task: str, group: Group, number: int) -> Held:
    """Returns what one waiting instance holds."""
    return join_parts(group.held, session.instances.get(task, number).instance.held)


def view_of(session: Session, rule: Rule, held: Held) -> ConditionView:
    """Returns a view of an instance under its rule, with expressions that are evaluated as the engine does."""
    if rule.edition_2 is None:
        raise ValueError(f"{rule.name!r} is not a rule of edition 2")
    evaluator = Evaluator(session.variables())
    return ConditionView(rule.edition_2.conditions, held, evaluator)


def orders_by_alias(view: ConditionView) -> dict[str, list[int]]:
    """Returns the fires that each leaf of `after` and `andEvery` holds."""
    held = {alias: view.contributions(leaf) for alias, leaf in view.conditions.by_alias.items()}
    return {alias: [one.order for one in contributions] for alias, contributions in held.items() if contributions}
