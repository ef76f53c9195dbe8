"""Findings of a check, with their severities and locations, and the catalogue of their kinds."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from triggers.analysis.check.locations import Location


class Severity(StrEnum):
    """The severity of a finding, in SARIF's words."""

    ERROR = "error"
    """The rules cannot work."""
    WARNING = "warning"
    """The rules work, but probably not as intended."""
    NOTE = "note"
    """The rules work; this may still be a mistake."""

    def at_least(self, other: Severity) -> bool:
        """Returns whether it is as severe as the other, or more severe."""
        return _BY_WEIGHT.index(self) >= _BY_WEIGHT.index(other)


_BY_WEIGHT = (Severity.NOTE, Severity.WARNING, Severity.ERROR)


class Kind(Struct, frozen=True):
    """A kind of finding."""

    severity: Severity
    summary: str
    """One sentence, for documentation and SARIF."""


KINDS: Final = {
    "invalid-json": Kind(Severity.ERROR, "The file is not a JSON object of tasks."),
    "duplicate-key": Kind(Severity.ERROR, "A key appears twice, and JSON parsers disagree about which one counts."),
    "invalid-directive": Kind(Severity.ERROR, "A directive is missing or has the wrong type."),
    "misspelt-directive": Kind(Severity.ERROR, "A key looks like a misspelt directive; the engine ignores it."),
    "empty-after": Kind(Severity.ERROR, "A task waits for no trigger, so it never runs."),
    "unproduced-trigger": Kind(Severity.ERROR, "A task waits for a trigger that nothing fires."),
    "deadlock": Kind(Severity.ERROR, "Tasks wait for each other, so none of them ever runs."),
    "endless-cascade": Kind(Severity.ERROR, "Tasks make each other run again without end."),
    "never-runs": Kind(Severity.ERROR, "A task never runs, because of the tasks it waits for or the order of events."),
    "unless-always-wins": Kind(Severity.ERROR, "The triggers of `unless` have always fired before the task can run."),
    "unless-never-wins": Kind(Severity.WARNING, "A trigger of `unless` never fires before the task runs."),
    "deadline-always-wins": Kind(
        Severity.ERROR, "A deadline is always over before the task's delay, so the task never runs."
    ),
    "endless-forward": Kind(Severity.ERROR, "`$forward` fires a trigger in its own session without end."),
    "never-true": Kind(Severity.WARNING, "A leaf is never true, whatever is fired."),
    "always-true": Kind(Severity.WARNING, "A `when` is true of every event."),
    "subsumed-branch": Kind(Severity.WARNING, "A branch of `any` decides nothing, because another one is true, too."),
    "within-too-short": Kind(Severity.WARNING, "What a `within` needs takes longer than its time."),
    "deadline-never-due": Kind(Severity.WARNING, "Every instance has started before its deadline is due."),
    "delay-never-ends": Kind(Severity.WARNING, "A deadline always starts the task before its delay is over."),
    "unless-remembers": Kind(
        Severity.WARNING, "In a task with `andEvery` and `delay`, a plain `unless` abandons every later instance, too."
    ),
    "unknown-alias": Kind(Severity.WARNING, "An expression reads an alias that the task does not have."),
    "argument-may-fail": Kind(Severity.WARNING, "An argument reads an alias that an instance may lack when it starts."),
    "conditional-cascade": Kind(Severity.WARNING, "Tasks make each other run again for as long as a `when` is true."),
    "order-sensitive": Kind(
        Severity.WARNING, "How often, or with which kwargs, a task runs depends on the order of arrival."
    ),
    "unknown-task": Kind(Severity.WARNING, "A trigger is named like a task, but no task has that name."),
    "name-clash": Kind(Severity.WARNING, "The application fires a trigger that has a task's name."),
    "similar-names": Kind(Severity.WARNING, "Two names differ so little that one may be misspelt."),
    "misspelt-param": Kind(Severity.WARNING, "A key of `withParams` looks like a misspelt trigger of the task."),
    "unless-repeats-after": Kind(Severity.NOTE, "A trigger is listed both in `after` and in `unless`."),
    "repeated-trigger": Kind(Severity.NOTE, "A trigger is listed twice."),
    "time-sensitive": Kind(
        Severity.NOTE, "How often, or with which kwargs, a task runs depends on how much time passes between events."
    ),
    "unless-ends-task": Kind(Severity.NOTE, "In a task with `andEvery`, `unless` abandons every later instance, too."),
    "forward-chain": Kind(
        Severity.NOTE, "`$forward` fires again for what it has fired, wherever the same rules are, up to eight times."
    ),
    "unbounded-and-every": Kind(Severity.NOTE, "Nothing limits how many instances of the task a session can have."),
    "task-prefix": Kind(Severity.NOTE, "A task's name does not begin with `t_`."),
    "unused-trigger": Kind(Severity.NOTE, "No rule uses a declared trigger."),
}
"""The kinds of finding, by rule id. Ids are public: they are only ever added."""


class CheckFinding(Struct, frozen=True, kw_only=True):
    """A problem in a file of rules."""

    rule: str
    """A key of `KINDS`."""
    severity: Severity
    task: str | None
    directive: str | None
    location: Location
    message: str
    fix: str
    """How to fix it."""
    details: tuple[str, ...] = ()
    """Lines that show the problem: for `order-sensitive`, two orders and what the task does in each."""


def finding(
    rule: str,
    location: Location,
    message: str,
    fix: str,
    *,
    task: str | None = None,
    directive: str | None = None,
    details: tuple[str, ...] = (),
) -> CheckFinding:
    """Returns a finding with the severity of its kind."""
    return CheckFinding(
        rule=rule,
        severity=KINDS[rule].severity,
        task=task,
        directive=directive,
        location=location,
        message=message,
        fix=fix,
        details=details,
    )
