"""Explains tasks of edition 2: what each instance holds, what it lacks, and what its timers will do."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.analysis.explain.causes import Causes, Numbered
from triggers.analysis.explain.condition_proofs import (
    ConditionProver,
    becomes_true,
    leaves_of,
    missing_leaves,
    necessary_triggers,
)
from triggers.analysis.explain.edition_2_words import timer_proof
from triggers.analysis.explain.explanation import (
    ConditionProof,
    EventRef,
    HeldTrigger,
    InstanceProof,
    Missing,
    MissingCause,
    Outlook,
)
from triggers.analysis.explain.holdings import held_by_member, view_of
from triggers.analysis.explain.trace import Trace
from triggers.core.conditions.condition_view import ConditionView
from triggers.core.conditions.held import Held, Memory
from triggers.core.conditions.memory import seeds
from triggers.core.conditions.offering import Offered, offer
from triggers.core.contribution import Contribution
from triggers.core.edition_2_plan import OUTCOMES, Edition2Plan
from triggers.core.exception_view import view_exception
from triggers.core.instance_names import instance_name
from triggers.core.plan import Rule
from triggers.core.state.instance import Instance
from triggers.core.statuses import DELAYED, RESOLVED_IN_EDITION_2, WAITING
from triggers.core.task_offer import recall

_NO_EVENT = Offered(Contribution(b"{}", 0, -1), {})


class Edition2Prover:
    """Explains tasks of edition 2. It reads the session's instances once."""

    def __init__(self, trace: Trace, plan: Edition2Plan) -> None:
        self._trace = trace
        self._session = trace.session
        self._plan = plan
        self._instances: dict[str, list[Numbered]] = {}
        self._views: dict[str, ConditionView] = {}
        self._found: dict[tuple[str, str], list[MissingCause]] = {}
        self._read()
        tasks = trace.session.plan.tasks
        engine = dict(_fired_by_engine(plan))
        self._causes = Causes(tasks, self._instances, trace.fired_triggers, engine, RESOLVED_IN_EDITION_2)

    def _read(self) -> None:
        """Reads the instances. Those that wait count as having the triggers of their leaves that are true."""
        for loaded in sorted(self._session.instances.scan(), key=lambda loaded: loaded.instance.sequence):
            rule = self._session.plan.tasks.get(loaded.task)
            group = self._session.waiting.get(loaded.task).group_of(loaded.number)
            if rule is not None and group is not None and loaded.instance.status in WAITING:
                held = held_by_member(self._session, loaded.task, group, loaded.number)
                view = self._views[loaded.name] = view_of(self._session, rule, held)
                true = [leaf for leaf in view.conditions.by_alias.values() if view.is_true(leaf)]
                loaded.instance.kwargs = {leaf.trigger: b"{}" for leaf in true}
            self._instances.setdefault(loaded.task, []).append((loaded.number, loaded.instance))

    def prove(self, rule: Rule) -> list[InstanceProof]:
        """Explains the rule's instances, or its next one if it has none."""
        return [self._instance(rule, *one) for one in self._instances.get(rule.name, ())] or [self._next(rule)]

    def _instance(self, rule: Rule, number: int, instance: Instance) -> InstanceProof:
        name, trace = instance_name(rule.name, number), self._trace
        last, timers, view = trace.refs[trace.history[name][-1][0]], instance.timers or {}, self._views.get(name)
        condition, unless = (None, None) if view is None else self._conditions(rule, view)
        outlook = Outlook.STARTED if condition is None else _outlook(condition, unless)
        past = trace.session.header.past_attempts
        stop = trace.holdings.stops.get(name)
        return InstanceProof(
            name=name,
            status=instance.status,
            since=last.time,
            outlook=Outlook.DELAYED if instance.status == DELAYED else outlook,
            satisfied=_held(condition) if condition else list(self._received(rule, name, instance)),
            missing=[] if condition is None else _missing(condition),
            unless_fired=_held(unless),
            unless_missing=[] if unless is None else _missing_names(unless),
            attempt=instance.attempt,
            due=timers.get("cooldown", timers.get("retry")),
            last=last,
            exception=view_exception(instance.metadata),
            condition=condition,
            unless_condition=unless,
            timers=[
                timer_proof(rule, kind, due, max(instance.attempt, past), past)
                for kind, due in sorted(timers.items(), key=lambda timer: timer[1])
            ],
            why=stop.why if stop is not None and stop.status == instance.status else "",
        )

    def _next(self, rule: Rule) -> InstanceProof:
        """Explains the next instance of a task that has none: it will begin with what the session remembers."""
        condition, unless = self._conditions(rule, self._seeded(rule))
        return InstanceProof(
            name=None,
            status=None,
            since=0,
            outlook=_outlook(condition, unless),
            satisfied=_held(condition),
            missing=_missing(condition),
            unless_fired=_held(unless),
            unless_missing=[] if unless is None else _missing_names(unless),
            attempt=0,
            due=None,
            last=None,
            condition=condition,
            unless_condition=unless,
        )

    def _conditions(self, rule: Rule, view: ConditionView) -> tuple[ConditionProof, ConditionProof | None]:
        """Explains `after` with `andEvery`, and `unless` if it has a leaf."""
        prover = ConditionProver(view, self._ref_of, lambda trigger: self._find(trigger, rule.name))
        unless = view.conditions.unless
        has_leaf = unless is not None and next(unless.leaves(), None) is not None
        return prover.prove(view.conditions.root), prover.prove(unless) if unless is not None and has_leaf else None

    def _find(self, trigger: str, task: str) -> list[MissingCause]:
        if (trigger, task) not in self._found:
            self._found[trigger, task] = self._causes.find(trigger, task)
        return self._found[trigger, task]

    def _ref_of(self, order: int) -> EventRef | None:
        number = self._trace.holdings.event_of.get(order)
        return None if number is None else self._trace.refs[number]

    def _received(self, rule: Rule, name: str, instance: Instance) -> Iterator[HeldTrigger]:
        """Yields the triggers that an instance had when it stopped waiting, with the newest event of each."""
        held, leaves = self._trace.holdings.held.get(name, {}), self._plan.tasks[rule.name].conditions.by_alias
        for alias in sorted(instance.kwargs):
            orders = held.get(alias, [])
            trigger = leaves[alias].trigger if alias in leaves else alias
            yield HeldTrigger(trigger=trigger, by=self._ref_of(orders[-1]) if orders else None)

    def _seeded(self, rule: Rule) -> ConditionView:
        """Returns what an instance would begin with, as the engine seeds it."""
        session, view = self._session, view_of(self._session, rule, Held())
        memory = Memory({}) if rule.edition_2 is None else recall(session, rule.edition_2, _NO_EVENT)
        for seed in seeds(view.conditions, memory, _NO_EVENT):
            offer(view, seed)
        return view


def _fired_by_engine(plan: Edition2Plan) -> Iterator[tuple[str, str]]:
    """Yields the triggers that only the engine fires, and when it does."""
    for trigger in plan.named:
        task, _, status = trigger.rpartition(":")
        if status in OUTCOMES and task:
            yield trigger, f"the engine fires it when an instance of {task} becomes {status}"
    if plan.finalize is not None:
        yield plan.finalize, "the engine fires it when no task is unresolved"


def _held(proof: ConditionProof | None) -> list[HeldTrigger]:
    leaves = [] if proof is None else [leaf for leaf in leaves_of(proof) if leaf.have]
    return [HeldTrigger(trigger=leaf.trigger, by=leaf.by[-1] if leaf.by else None) for leaf in leaves]


def _missing(proof: ConditionProof) -> list[Missing]:
    found = {leaf.trigger: leaf.causes for leaf in missing_leaves(proof)}
    return [Missing(trigger=trigger, causes=causes) for trigger, causes in found.items()]


def _missing_names(proof: ConditionProof) -> list[str]:
    return list(dict.fromkeys(leaf.trigger for leaf in missing_leaves(proof)))


def _outlook(condition: ConditionProof, unless: ConditionProof | None) -> Outlook:
    if next(leaves_of(condition), None) is None:
        return Outlook.NEVER
    if unless is not None and unless.is_true:
        return Outlook.ABANDONED_AT_NEXT
    if condition.is_true:
        return Outlook.RUNS_AT_NEXT
    if unless is not None and becomes_true(unless, necessary_triggers(condition)):
        return Outlook.ABANDONED
    return Outlook.RUNS
