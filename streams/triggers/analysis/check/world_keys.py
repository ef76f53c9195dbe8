"""Tells states of a session of edition 2 apart by what matters for its future, not by numbers and absolute times."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.analysis.check.condition_lints import expressions_of
from triggers.core.conditions.held import Held
from triggers.core.contribution import Contribution
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.plan import Plan
from triggers.core.state.group_parts import join_parts
from triggers.core.state.instance import Instance
from triggers.core.state.loaded_instance import LoadedInstance
from triggers.core.state.session import Session
from triggers.core.statuses import WAITING
from triggers.core.task_offer import latest_of

Key = tuple[object, ...]


class WorldKeys:
    """Computes keys of sessions under one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        rules = [task.edition_2 for task in plan.tasks.values() if task.edition_2 is not None]
        self.windows = sorted({node.within for rule in rules for node in rule.conditions.combinators if node.within})
        """The lengths of all windows, in milliseconds."""
        self._needs_order = not all(rule.conditions.steady for rule in rules)
        self._needs_time = any(_reads_time(rule) for rule in rules)

    def key(self, session: Session) -> Key:
        """Returns a key that is equal for sessions with equal futures."""
        return _Key(session, self).value(self._plan)

    def clocks(self, session: Session) -> set[int]:
        """Returns when the contributions came that a window may still drop."""
        if not self.windows:
            return set()
        return {contribution.clock for contribution in _Key(session, self).contributions(self._plan)}

    def age(self, contribution: Contribution, now: int) -> int:
        """Returns how old a contribution is, as far as a window can tell."""
        return min(now - contribution.clock, self.windows[-1] + 1) if self.windows else 0

    def rank(self, contribution: Contribution, orders: list[int]) -> int:
        """Returns the rank of a contribution among all, if the order matters."""
        return orders.index(contribution.order) if self._needs_order else 0

    def time(self, contribution: Contribution) -> int:
        """Returns the time of the event, if an expression reads it."""
        return contribution.time if self._needs_time else 0


def _reads_time(rule: Edition2Rule) -> bool:
    return any("event" in expression.references.variables for expression in expressions_of(rule))


class _Key:
    def __init__(self, session: Session, keys: WorldKeys) -> None:
        self._session = session
        self._keys = keys
        self._now = session.header.clock
        self._stored = list(session.instances.scan())

    def value(self, plan: Plan) -> Key:
        orders = sorted({contribution.order for contribution in self.contributions(plan)})
        instances = sorted(self._instance(plan, loaded, orders) for loaded in self._stored)
        remembered = tuple(self._held(slots, orders) for slots in self._memories(plan))
        latest = tuple(self._contribution(contribution, orders) for contribution in self._latest(plan))
        return tuple(instances), remembered, latest, self._session.header.ensure_edition_2_part().finalized

    def contributions(self, plan: Plan) -> Iterator[Contribution]:
        """Yields everything that is held or remembered."""
        for loaded in self._stored:
            for contributions in _held_by(self._session, loaded).slots.values():
                yield from contributions
            yield from _held_by(self._session, loaded).loose.values()
        for slots in self._memories(plan):
            for contributions in slots.values():
                yield from contributions
        yield from self._latest(plan)

    def _memories(self, plan: Plan) -> Iterator[dict[str, list[Contribution]]]:
        for name, task in plan.tasks.items():
            if task.edition_2 is not None and task.edition_2.remembers:
                yield self._session.memories.get(name).slots

    def _latest(self, plan: Plan) -> Iterator[Contribution]:
        for trigger in sorted(plan.by_trigger):
            if contribution := latest_of(self._session, trigger):
                yield contribution

    def _instance(self, plan: Plan, loaded: LoadedInstance, orders: list[int]) -> Key:
        instance, held = loaded.instance, _held_by(self._session, loaded)
        timers = sorted((str(kind), due - self._now) for kind, due in (instance.timers or {}).items())
        rule = plan.tasks[loaded.task].edition_2
        is_bounded = rule is not None and rule.delay is not None and rule.delay.at_most and instance.delayed_at
        return (
            loaded.task,
            str(instance.status),
            received(self._session, instance),
            self._held(held.slots | {slot: [contribution] for slot, contribution in held.loose.items()}, orders),
            tuple(sorted(held.true)),
            held.begun,
            tuple(timers),
            self._now - instance.delayed_at if is_bounded else 0,
            instance.attempt,
            instance.attempt_closed,
        )

    def _held(self, slots: dict[str, list[Contribution]], orders: list[int]) -> Key:
        return tuple(
            (slot, tuple(self._contribution(one, orders) for one in contributions))
            for slot, contributions in sorted(slots.items())
            if contributions
        )

    def _contribution(self, contribution: Contribution, orders: list[int]) -> Key:
        keys = self._keys
        return (
            contribution.kwargs,
            contribution.key,
            keys.age(contribution, self._now),
            keys.rank(contribution, orders),
            keys.time(contribution),
        )


def _held_by(session: Session, loaded: LoadedInstance) -> Held:
    """Returns what an instance holds; nothing if it does not wait."""
    if loaded.instance.status not in WAITING:
        return Held()
    group = session.waiting.get(loaded.task).group_of(loaded.number)
    return Held() if group is None else join_parts(group.held, loaded.instance.held)


def received(session: Session, instance: Instance) -> tuple[tuple[str, bytes], ...]:
    """Returns what an instance that no longer waits has received, sorted by alias."""
    if instance.status in WAITING:
        return ()
    read = session.payloads.read
    return tuple(sorted((alias, bytes(read(payload))) for alias, payload in instance.kwargs.items()))
