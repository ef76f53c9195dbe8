"""Replays recorded histories of edition 2, whose steps have clocks and timers, for `triggers verify`.

    {"id": "curated-17", "title": "a payment in time",
     "steps": [{"op": "fire", "at": 1700000000000, "trigger": "paid", "expect": {"outcome": "applied", …}}, …],
     "final": {"instances": {…}, "unresolvedTasks": […], "timers": […], "rules": null, "clock": 1700000000000}}

`at` is the log time of a step's record in milliseconds, and the number of the step is its position. Timers fire only by
steps `timer`. `publish` adds a version of published rules. A key that is absent from `expect` means that it is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from triggers.analysis.driver import HistoryDriver
from triggers.analysis.verify.history_steps import Step, step_event
from triggers.core.commands import CancelTask, Outcome, RunTask
from triggers.core.decision import Decision
from triggers.core.events import Event, RulesPublished
from triggers.core.published_rules import next_version
from triggers.core.view import InstanceView, SessionView
from triggers.errors import CallError, InvalidConfiguration, NotFound

MAIN: Final = "main"
"""The session of steps that do not name another one, which `final` describes."""

Answer = dict[str, Any]


def is_edition_2_history(history: Mapping[str, Any]) -> bool:
    """Returns whether the history has this format: its steps have times, and configure sessions themselves."""
    steps = history.get("steps")
    return "configuration" not in history and isinstance(steps, list) and all("at" in step for step in steps)


class Edition2Replay:
    """The sessions of one history, all on one partition. Each step gets what its `expect` should contain."""

    def __init__(self, driver: HistoryDriver) -> None:
        self._driver = driver
        self._newest: dict[str, RulesPublished] = {}
        self._views: dict[str, SessionView] = {}
        """Session -> its view after its last step. To read one takes longer than to apply an event."""
        self._position = -1

    def differences(self, history: Mapping[str, Any]) -> list[str]:
        """Runs all steps and returns one line for each difference. Raises KeyError for an unknown operation."""
        lines: list[str] = []
        for number, step in enumerate(history["steps"], 1):
            lines += _differences(f"step {number} ({_title(step)})", step["expect"], self.apply(step))
        if "final" in history:
            lines += _differences("final", history["final"], self.final())
        return [f"{history['id']} {line}" for line in lines]

    def apply(self, step: Step) -> Answer:
        """Applies a step."""
        self._position += 1
        if step["op"] == "publish":
            return self._publish(step)
        uid = step.get("session", MAIN)
        before = self._views.get(uid) or self._driver.view(uid)
        event, _ = step_event(step, lambda instance: _depth(before, instance))
        try:
            decision = self._driver.apply(uid, self._placed(event, step))
        except (CallError, NotFound) as error:
            return {"outcome": "refused", "error": type(error).__name__}
        if decision.outcome is Outcome.DUPLICATE:
            return {"outcome": str(Outcome.DUPLICATE)}
        self._views[uid] = after = self._driver.view(uid)
        return _answer(before, decision, after)

    def final(self) -> Answer:
        """Returns what `final` should contain."""
        return show_session(self._driver.view(MAIN))

    def _publish(self, step: Step) -> Answer:
        event = RulesPublished(
            name=step["name"],
            version=0,
            configuration=msgspec.json.encode(step["configuration"]),
            match=step.get("match") or [],
            is_default=step.get("default", False),
            existing=step.get("existing", "keep"),
            locked=step.get("locked", False),
            position=self._position,
            time=step["at"],
        )
        try:
            version = next_version(self._newest.get(event.name), event)
            if version is None:
                return {"outcome": str(Outcome.UNUSED)}
            self._driver.publish(version)
        except CallError:
            return {"outcome": "refused", "error": InvalidConfiguration.__name__}
        self._newest[event.name] = version
        return {"outcome": str(Outcome.APPLIED)}

    def _placed(self, event: Event, step: Step) -> Event:
        happened = step.get("time") if step["op"] == "fire" else None
        return replace(event, position=self._position, time=happened or step["at"], recorded=step["at"])


def show_session(view: SessionView) -> Answer:
    """Returns a session as `final` has it."""
    return {
        "instances": {instance.name: _shown(instance) for instance in view.instances},
        "unresolvedTasks": view.unresolved_tasks,
        "timers": _timers(view),
        "rules": None if view.rules is None else {"name": view.rules.name, "version": view.rules.version},
        "clock": view.clock,
    }


def _depth(session: SessionView, name: str) -> int:
    return next((instance.depth for instance in session.instances if instance.name == name), 0)


def _answer(before: SessionView, decision: Decision, after: SessionView) -> Answer:
    was = {instance.name: instance.status for instance in before.instances}
    stood, stand, rules = _timers(before), _timers(after), decision.rules
    answer: Answer = {
        "outcome": str(decision.outcome),
        "changed": {each.name: each.status for each in after.instances if was.get(each.name) != each.status},
        "scheduled": [show_command(command) for command in decision.commands if isinstance(command, RunTask)],
        "cancel": [show_cancellation(cancel) for cancel in decision.cancels],
        "set": [timer for timer in stand if timer not in stood],
        "unset": [timer for timer in stood if timer not in stand],
        "fired": [fire.trigger for fire in decision.fires],
        "forward": [
            {"to": each.session, "trigger": each.trigger, "kwargs": msgspec.json.decode(each.kwargs), "id": each.id}
            for each in decision.forwards
        ],
        "rules": None if rules is None else {"name": rules.name, "version": rules.version},
    }
    return {key: value for key, value in answer.items() if value}


def show_command(command: RunTask) -> Answer:
    """Returns a command as histories have it."""
    kwargs = msgspec.json.decode(command.kwargs)
    shown = {"instance": command.instance, "attempt": command.attempt, "run": command.run, "kwargs": kwargs}
    return shown | _optional(command.queue) | ({"using": command.using} if command.using else {})


def show_cancellation(cancel: CancelTask) -> Answer:
    """Returns the cancellation of a command as histories have it."""
    shown = {"instance": cancel.instance, "attempt": cancel.attempt, "terminate": cancel.terminate}
    return shown | _optional(cancel.queue)


def _optional(queue: str | None) -> Answer:
    return {"queue": queue} if queue else {}


def _shown(instance: InstanceView) -> Answer:
    return {
        "task": instance.task,
        "status": instance.status,
        "attempt": instance.attempt - (1 if instance.due else 0),  # edition 1 counts it before its cooldown is over
        "kwargs": msgspec.json.decode(msgspec.json.encode(instance.kwargs)),
        "depth": instance.depth,
        "parent": instance.parent,
    }


def _timers(session: SessionView) -> list[Answer]:
    """Returns the timers of all instances by due time, then by instance and kind."""
    timers: list[Answer] = []
    for instance in session.instances:
        dues = dict(instance.timers)
        if instance.due:
            dues["cooldown"] = instance.due
        if instance.deadline:
            dues[instance.status] = instance.deadline
        timers += [{"instance": instance.name, "kind": kind, "due": due} for kind, due in dues.items()]
    return sorted(timers, key=lambda timer: (timer["due"], timer["instance"], timer["kind"]))


# -- comparing --------------------------------------------------------------------------------------------------------


def _differences(where: str, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    keys = [key for key in {**expected, **actual} if _by_value(expected.get(key)) != _by_value(actual.get(key))]
    return [f"{where}: {key}: expected {_show(expected.get(key))}, got {_show(actual.get(key))}" for key in keys]


def _by_value(value: object) -> object:
    """Returns what is equal for equal JSON: numbers by their value, and `true` is not `1` as it is in Python."""
    match value:
        case bool():
            return "true" if value else "false", "boolean"
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _by_value(each) for name, each in value.items()}
        case list():
            return [_by_value(each) for each in value]
        case _:
            return value


def _show(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _title(step: Step) -> str:
    return " ".join(str(step[key]) for key in ("op", "instance", "trigger", "kind", "name") if key in step)
