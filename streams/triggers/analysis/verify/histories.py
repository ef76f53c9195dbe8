"""Replays recorded histories of the Triggers framework and reports every difference, for `triggers verify`.

A history is a JSON object on one line: a configuration, steps with their expected effects, and the final state. If a
step has `ours` beside `upstream`, this product differs on purpose and `ours` is expected; such a history gates only
if it is `firm`. Histories of edition 2 have another format (`edition_2_histories`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from triggers.analysis.driver import HistoryDriver, MemoryDriver
from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.edition_2_histories import MAIN, Edition2Replay, is_edition_2_history
from triggers.analysis.verify.history_queries import answer, plain
from triggers.analysis.verify.history_steps import Step, step_event
from triggers.analysis.view_changes import canonical_json
from triggers.core.commands import RunTask, SetTimer
from triggers.core.decision import Decision
from triggers.core.events import ConfigurationUpdated, Event, TimerFired
from triggers.core.timer_kinds import TimerKind
from triggers.core.view import SessionView
from triggers.errors import CallError, NotFound, TriggersError

_QUIET = frozenset({"hold"})
_COOLDOWNS = frozenset({"", TimerKind.COOLDOWN})
"""Kinds of timers that this format knows, with their names in edition 1 and 2."""
_NEEDED = ("id", "configuration", "steps")
_NEEDED_IF_TIMED = ("id", "steps")
_FIX = "`triggers capture SESSION` makes a capsule (--from FILE reads a log of events)"


class BadHistory(CallError):
    """The file is not a file of recorded histories."""


@dataclass(frozen=True, slots=True)
class HistoryResult:
    """The result of replaying one history."""

    id: str
    title: str
    gates: bool
    """False if a difference is not a failure, because the intended behaviour is not decided in detail."""
    differences: list[str] = field(default_factory=list)
    """One line for each difference; empty if the history passed."""


def verify_files(
    files: Iterable[InputFile], driver: Callable[[], HistoryDriver] = MemoryDriver, *, every: int = 1
) -> Iterator[HistoryResult]:
    """Replays the histories of the files, one on each line: all of them, or every n-th. Each gets a new driver.

    Raises BadHistory and BadInput.
    """
    for file in files:
        for number, line in enumerate(file.lines(), 1):
            if line.strip() and number % every == 0:
                yield _verify_line(line, f"{file.name}:{number}", driver())


def verify_history(history: Mapping[str, Any], driver: HistoryDriver) -> HistoryResult:
    if is_edition_2_history(history):
        differences = Edition2Replay(driver).differences(history)
    else:
        replay = _Replay(history, driver)
        replay.run()
        differences = replay.differences
    gates = bool(history.get("firm", True))
    return HistoryResult(str(history["id"]), str(history.get("title", "")), gates, differences)


def _verify_line(line: bytes, where: str, driver: HistoryDriver) -> HistoryResult:
    try:
        return verify_history(_history(line), driver)
    except BadHistory as error:
        raise BadHistory(f"{where}: neither a capsule nor a recorded history: {error}; {_FIX}") from error
    except (TriggersError, KeyError, TypeError, AttributeError) as error:
        why = f"the key {error} is missing" if type(error) is KeyError else str(error)
        raise BadHistory(f"{where}: this history cannot be replayed: {why}") from error


def _history(line: bytes) -> dict[str, Any]:
    try:
        history = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadHistory(f"the line is not JSON ({error})") from error
    if not isinstance(history, dict):
        raise BadHistory("the line is not a JSON object")
    needed = _NEEDED_IF_TIMED if is_edition_2_history(history) else _NEEDED
    if absent := [name for name in needed if name not in history]:
        raise BadHistory(f"it has no {' and no '.join(absent)}")
    return history


class _Replay:
    """The replay of one history through a driver."""

    def __init__(self, history: Mapping[str, Any], driver: HistoryDriver) -> None:
        self.differences: list[str] = []
        self._history = history
        self._driver = driver
        self._prefix = f"{history['id']}/"
        self._statuses: dict[str, dict[str, str]] = {}

    def run(self) -> None:
        """Runs every step and compares it, then compares the final state."""
        self._configure(self._history.get("defaultConfiguration"), if_absent=True)
        self._configure(self._history["configuration"])
        for number, step in enumerate(self._history["steps"], 1):
            expected = step["ours"] if "ours" in step else step["expect"]
            self._compare(f"step {number} ({_title(step)})", expected, self._run_step(step))
        if "final" in self._history:
            self._compare("final", self._history["final"], _final(self._view(MAIN)))

    def _configure(self, configuration: Mapping[str, Any] | None, *, if_absent: bool = False) -> None:
        if configuration is not None:
            event = ConfigurationUpdated(configuration=msgspec.json.encode(configuration), if_absent=if_absent)
            self._driver.apply(self._prefix + MAIN, event)

    def _run_step(self, step: Step) -> dict[str, object]:
        session = step.get("session", MAIN)
        if step["op"] == "query":
            return self._query(step, session)
        if step["op"] in _QUIET:
            return {"scheduled": [], "changed": {}, "hooks": []}
        event, raised = step_event(step, lambda instance: self._depth(session, instance))
        try:
            decision = self._driver.apply(self._prefix + session, event)
        except (CallError, NotFound) as error:
            return {"scheduled": [], "changed": {}, "hooks": [], "error": error}
        seen: dict[str, object] = {"raised": raised} if raised else {}
        return seen | {
            "scheduled": [
                self._scheduled(session, command, event)
                for command in decision.commands
                if isinstance(command, RunTask) or command.kind in _COOLDOWNS
            ],
            "changed": self._changed(session),
            "hooks": _hooks(step, decision),
        }

    def _scheduled(self, session: str, command: RunTask | SetTimer, event: Event) -> dict[str, Any]:
        """Returns a command with its countdown in seconds. A command that waits for a cooldown is issued at once."""
        countdown: float = 0
        while isinstance(command, SetTimer):
            waits = command.due - event.time
            countdown = waits / 1000 if waits % 1000 else waits // 1000
            due = TimerFired(
                instance=command.instance,
                attempt=command.attempt,
                due=command.due if command.kind else 0,
                kind=command.kind,
                time=command.due,
            )
            command = self._driver.apply(self._prefix + session, due).commands[0]
        shown = {"instance": command.instance, "run": command.run, "kwargs": msgspec.json.decode(command.kwargs)}
        return shown | {"countdown": countdown} | ({"using": command.using} if command.using else {})

    def _query(self, step: Step, session: str) -> dict[str, object]:
        try:
            return {"answer": answer(step, self._view(session))}
        except NotFound as error:
            return {"scheduled": [], "changed": {}, "error": error}

    def _view(self, session: str) -> SessionView:
        return self._driver.view(self._prefix + session)

    def _depth(self, session: str, instance: str) -> int:
        return next((view.depth for view in self._view(session).instances if view.name == instance), 0)

    def _changed(self, session: str) -> dict[str, str]:
        before = self._statuses.get(session, {})
        now = {instance.name: instance.status for instance in self._view(session).instances}
        self._statuses[session] = now
        return {name: status for name, status in now.items() if before.get(name) != status}

    def _compare(self, where: str, expected: Mapping[str, Any], actual: Mapping[str, object]) -> None:
        for key in (*expected, *(key for key in ("error", "raised") if key in actual and key not in expected)):
            if not _agrees(key, expected.get(key), actual.get(key)):
                line = f"{self._history['id']} {where}: {key}: expected {_show(expected.get(key))},"
                self.differences.append(f"{line} got {_show(actual.get(key))}")


def _agrees(key: str, expected: object, actual: object) -> bool:
    if key == "error" and isinstance(actual, Exception):
        return expected in {kind.__name__ for kind in type(actual).__mro__}
    if isinstance(expected, list) and isinstance(actual, list) and key in _WITHOUT_EXTRAS:
        actual = [_WITHOUT_EXTRAS[key](each, expected) for each in actual]
    return canonical_json(expected) == canonical_json(actual)


def _without_optional(hook: list[Any], expected: list[list[Any]]) -> list[Any]:
    """Drops the second instance of a replay, which histories of the framework itself do not have."""
    replays = hook[0] == "post_replay" and hook[:2] in expected
    return hook[:2] if replays else hook


def _without_countdown(command: dict[str, Any], expected: list[dict[str, Any]]) -> dict[str, Any]:
    """Drops the countdown, unless the history has countdowns: only those of deliberate differences do."""
    known = any("countdown" in other for other in expected)
    return command if known else {key: value for key, value in command.items() if key != "countdown"}


_WITHOUT_EXTRAS: Final[dict[str, Callable[[Any, list[Any]], object]]] = {
    "hooks": _without_optional,
    "scheduled": _without_countdown,
}


def _hooks(step: Step, decision: Decision) -> list[list[object]]:
    hooks: list[list[object]] = [["post_fire", fire.trigger, list(fire.scheduled)] for fire in decision.fires]
    if step["op"] in {"replay", "retry"} and decision.commands:
        hooks.append(["post_replay", step["instance"], {"replay": decision.commands[0].instance}])
    if step["op"] == "skip":
        hooks.append(["post_skip", step["instance"], bool(step.get("cascade"))])
    return hooks


def _final(session: SessionView) -> dict[str, object]:
    return {
        "instances": {
            instance.name: {
                "task": instance.task,
                "status": instance.status,
                "kwargs": plain(instance.kwargs),
                "abandonState": sorted(instance.abandon_state),
                "depth": instance.depth,
                "parent": instance.parent,
            }
            for instance in session.instances
        },
        "latestKwargs": plain(session.latest_kwargs),
        "tasks": [task.name for task in session.tasks],
        "unresolvedTasks": sorted(session.unresolved_tasks),
        "unresolvedInstances": sorted(session.unresolved_instances),
    }


def _title(step: Step) -> str:
    return " ".join(str(step[key]) for key in ("op", "instance", "trigger", "what", "name") if key in step)


def _show(value: object) -> str:
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {value}"
    return msgspec.json.encode(value).decode()
