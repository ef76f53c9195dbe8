"""The model's partition: its sessions, published rules, and what a step of a history does to them."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, fields

from tests.support.edition2.operations import OPERATIONS, RESULTS, is_stale
from tests.support.edition2.state import WAITING, Instance, Json, Refused, Session
from tests.support.edition2.step import Fire, Step, encode, kwargs_of

from triggers.core.conditions.evaluator import Occurrence
from triggers.core.conditions.held import Memory
from triggers.core.conditions.memory import begin_memory
from triggers.core.conditions.updating import carry_memory_over, carry_over
from triggers.core.config import validate_configuration
from triggers.core.edition_2_directives import EDITION_1_DIRECTIVES, parse_task
from triggers.core.edition_2_plan import Edition2Plan, parse_edition_2_plan
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.published_rules import Catalog, PublishedRules, merge_adopted
from triggers.errors import InvalidConfiguration

_EDITION_1_BLOCKS = {"$limits", "$manager", "$edition"}


@dataclass(frozen=True)
class Version:
    """One version of published rules."""

    rules: PublishedRules
    configuration: Json
    edition: int


class World:
    """One partition."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.published: dict[str, list[Version]] = {}
        self._catalog = Catalog()
        self._position = -1

    def apply(self, step: Json) -> Json:
        """Apply a step of a history and return what its `expect` must be.

        Unless the step gives its `position` in the log, that is its number.
        """
        self._position = step.get("position", self._position + 1)
        try:
            return self._publish(step) if step["op"] == "publish" else self._apply(step)
        except InvalidConfiguration:
            return {"outcome": "refused", "error": "InvalidConfiguration"}
        except Refused as refused:
            return {"outcome": "refused", "error": str(refused)}

    def _apply(self, step: Json) -> Json:
        op, uid = step["op"], step.get("session", "main")
        before = self.sessions.get(uid)
        if before and step.get("id") is not None and step["id"] in before.ids:
            return {"outcome": "duplicate"}
        if op == "timer" and before is None:
            return {"outcome": "stale"}
        session = Session(uid) if before is None else _copy(before)
        if op in {*RESULTS, "timer"} and is_stale(session, op, step):
            session.clock = max(session.clock, step["at"])
            self.sessions[uid] = session
            return {"outcome": "stale"}
        ruled = self._adopt(session) if before else self._begin(session, step.get("rules"))
        session.clock = max(session.clock, step["at"])
        made = Step(session, self._position, step.get("time") or step["at"])
        if op == "configure":
            self._configure(session, step["configuration"])
            session.ids.update([step["id"]] if "id" in step else [])
        else:
            OPERATIONS[op](made, step)
            made.run()
            used = made.applied or op != "fire"
            _finalize(made)
            made.applied = used
        self.sessions[uid] = session
        return _expected(before, made, ruled, unused=op == "fire" and not made.applied)

    # -- rules --------------------------------------------------------------------------------------------------------

    def _publish(self, step: Json) -> Json:
        versions = self.published.setdefault(step["name"], [])
        before = versions[-1] if versions else None
        edition = _edition_of(step["configuration"]) or (before.edition if before else 1)
        if before and edition < before.edition:
            raise InvalidConfiguration("an edition does not go back")
        _compiled(step["configuration"], edition)
        version = Version(
            PublishedRules(
                name=step["name"],
                version=len(versions) + 1,
                match=tuple(step.get("match") or ()),
                is_default=step.get("default", False),
                adopt=step.get("existing") == "adopt",
                locked=step.get("locked", False),
            ),
            step["configuration"],
            edition,
        )
        if before and _text(before) == _text(version):
            return {"outcome": "unused"}
        versions.append(version)
        self._catalog = Catalog(version.rules for versions in self.published.values() for version in versions)
        return {"outcome": "applied"}

    def _begin(self, session: Session, named: str | None) -> Json | None:
        rules = self._catalog.rules_for(session.uid) if named is None else self._catalog.newest(named)
        if named is not None and rules is None:
            raise Refused("UnknownRules")
        return None if rules is None else self._take_over(session, rules)

    def _adopt(self, session: Session) -> Json | None:
        rules = self._catalog.to_adopt(*session.bound) if session.bound else None
        try:
            return None if rules is None else self._take_over(session, rules)
        except InvalidConfiguration:
            return None

    def _take_over(self, session: Session, rules: PublishedRules) -> Json:
        version = self.published[rules.name][rules.version - 1]
        unresolved = {instance.task for instance in session.instances if not instance.is_resolved}
        written = merge_adopted(session.written, version.configuration, session.from_rules - unresolved)
        _switch(session, written, max(session.edition, version.edition))
        session.bound = rules.name, rules.version
        session.from_rules = {name for name in session.rules.tasks if name in version.configuration}
        return {"name": rules.name, "version": rules.version}

    def _configure(self, session: Session, configuration: Json) -> None:
        if session.bound and self.published[session.bound[0]][session.bound[1] - 1].rules.locked:
            raise Refused("RulesLocked")
        edition = _edition_of(configuration) or session.edition
        if edition < session.edition:
            raise InvalidConfiguration("an edition does not go back")
        _switch(session, session.written | configuration, edition)
        session.from_rules -= configuration.keys()

    # -- what is left -------------------------------------------------------------------------------------------------

    def final(self, uid: str = "main") -> Json:
        """Return what `final` of a history says of the session."""
        session = self.sessions.get(uid) or Session(uid)
        return {
            "instances": {own.name: _seen(session, own) for own in session.instances},
            "unresolvedTasks": [name for name, task in session.rules.tasks.items() if _is_unresolved(session, task)],
            "timers": _sorted(_timers(session)),
            "rules": {"name": session.bound[0], "version": session.bound[1]} if session.bound else None,
            "clock": session.clock,
        }


def _seen(session: Session, own: Instance) -> Json:
    return {
        "task": own.task,
        "status": own.status,
        "attempt": own.attempt,
        "kwargs": kwargs_of(session, own),
        "depth": own.ancestors,
        "parent": own.parent,
    }


def _switch(session: Session, written: Json, edition: int) -> None:
    """Replace the session's rules by those of a configuration."""
    rules, old = _compiled(written, edition), session.rules
    session.written, session.rules, session.edition = written, rules, edition

    def latest(trigger: str) -> Occurrence | None:
        own = session.latest.get(trigger)
        return None if own is None else Occurrence(trigger, own)

    evaluator = Step(session, 0, 0).evaluator()
    for name, task in rules.tasks.items():
        before = old.tasks.get(name)
        memory = session.memory[name] = session.memory.get(name, Memory()) if before else Memory()
        begun = list(task.conditions.leaves)
        if before is not None:
            begun = carry_memory_over(memory, before.conditions, task.conditions)
            for instance in session.of(name):
                if instance.status in WAITING:
                    carry_over(instance.held, before.conditions, task.conditions)
        begin_memory(memory, begun, latest, evaluator)


def _edition_of(written: Json) -> int | None:
    """Return the edition of a configuration, or None if it names none. Raises InvalidConfiguration."""
    edition: object = written.get("$edition")
    if edition is None or (isinstance(edition, int) and edition in (1, 2) and edition is not True):
        return edition
    raise InvalidConfiguration(f"there is no edition {edition!r}")


def _compiled(written: Json, edition: int) -> Edition2Plan:
    if edition == 2:
        return parse_edition_2_plan(written)
    validate_configuration(encode({name: own for name, own in written.items() if name != "$edition"}))
    tasks = {
        name: parse_task(name, {key: own[key] for key in EDITION_1_DIRECTIVES if key in own})
        for name, own in written.items()
        if name not in _EDITION_1_BLOCKS
    }
    by_trigger: dict[str, tuple[Edition2Rule, ...]] = {}
    for task in tasks.values():
        for trigger in task.conditions.by_trigger:
            by_trigger[trigger] = (*by_trigger.get(trigger, ()), task)
    limits = parse_edition_2_plan({"$limits": written["$limits"]} if "$limits" in written else {}).limits
    return Edition2Plan(tasks=tasks, by_trigger=by_trigger, limits=limits)


def _text(version: Version) -> str:
    rules = version.rules
    return json.dumps([version.configuration, rules.match, rules.is_default, rules.adopt, rules.locked])


def _copy(session: Session) -> Session:
    """Returns a deep copy, except for the rules, which never change. `copy.deepcopy` takes several times as long."""
    own = {each.name: getattr(session, each.name) for each in fields(session) if each.name != "rules"}
    return Session(**pickle.loads(pickle.dumps(own)), rules=session.rules)  # noqa: S301  # from this very line


def _timers(session: Session) -> list[Json]:
    return [
        {"instance": own.name, "kind": kind, "due": due}
        for own in session.instances
        for kind, due in own.timers.items()
    ]


def _sorted(timers: list[Json]) -> list[Json]:
    return sorted(timers, key=lambda timer: (timer["due"], timer["instance"], timer["kind"]))


def _is_unresolved(session: Session, task: Edition2Rule) -> bool:
    return session.is_unresolved(task.name) and not (task.optional and not session.of(task.name))


def _finalize(step: Step) -> None:
    """Fire `finalize` if no task is unresolved but those that name it."""
    session, trigger = step.session, step.session.rules.finalize
    if trigger is None or session.finalized or not session.instances:
        return
    for task in session.rules.tasks.values():
        leaves = (*task.conditions.leaves, *(task.cancel_on.leaves if task.cancel_on else ()))
        if trigger not in {leaf.trigger for leaf in leaves} and _is_unresolved(session, task):
            return
    session.finalized = True
    step.queue.append(Fire(trigger, b"{}"))
    step.run()


def _expected(before: Session | None, step: Step, ruled: Json | None, *, unused: bool) -> Json:
    session = step.session
    was = {own.name: own.status for own in before.instances} if before else {}
    stood, stand = _timers(before) if before else [], _timers(session)
    found: Json = {
        "outcome": "stopped" if step.stopped else "unused" if unused else "applied",
        "changed": {own.name: own.status for own in session.instances if was.get(own.name) != own.status},
        "scheduled": step.scheduled,
        "cancel": step.cancel,
        "set": _sorted([timer for timer in stand if timer not in stood]),
        "unset": _sorted([timer for timer in stood if timer not in stand]),
        "fired": step.fired,
        "forward": step.forward,
        "rules": ruled,
    }
    return {key: value for key, value in found.items() if value}
