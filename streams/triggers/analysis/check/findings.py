"""What a check tells: a finding, how bad it is, where it is; and the catalogue of everything that can be found."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from triggers.analysis.check.places import Place


class Severity(StrEnum):
    """How bad it is; the words are those of SARIF."""

    ERROR = "error"
    """It cannot work as it stands."""
    WARNING = "warning"
    """It works, hardly as meant."""
    NOTE = "note"
    """Worth knowing."""

    def at_least(self, other: Severity) -> bool:
        """Whether it is as bad as the other, or worse."""
        return _BY_WEIGHT.index(self) >= _BY_WEIGHT.index(other)


_BY_WEIGHT = (Severity.NOTE, Severity.WARNING, Severity.ERROR)


class Kind(Struct, frozen=True):
    """One thing that can be found."""

    severity: Severity
    summary: str
    """One sentence, for lists of rules."""


KINDS: Final = {
    "invalid-json": Kind(Severity.ERROR, "The file is no JSON object of tasks."),
    "duplicate-key": Kind(Severity.ERROR, "A key stands twice; readers would take different ones."),
    "invalid-directive": Kind(Severity.ERROR, "A directive is missing or has the wrong type."),
    "misspelt-directive": Kind(Severity.ERROR, "A key is nearly a directive; the engine ignores it."),
    "empty-after": Kind(Severity.ERROR, "A task that waits for nothing never runs."),
    "unproduced-trigger": Kind(Severity.ERROR, "Nobody fires a trigger that a task waits for."),
    "deadlock": Kind(Severity.ERROR, "Tasks wait for each other, so none of them ever runs."),
    "endless-cascade": Kind(Severity.ERROR, "Tasks run again each time that the other finishes, without end."),
    "never-runs": Kind(Severity.ERROR, "A task waits for one that never runs."),
    "unless-always-wins": Kind(Severity.ERROR, "What abandons the task has always fired before it can run."),
    "unless-never-wins": Kind(Severity.WARNING, "What should abandon the task never fires in time."),
    "order-sensitive": Kind(Severity.WARNING, "Whether, how often or with what a task runs depends on arrival order."),
    "unknown-task": Kind(Severity.WARNING, "A trigger is named like a task, and no task has that name."),
    "name-clash": Kind(Severity.WARNING, "The application fires a trigger that is a task's name."),
    "similar-names": Kind(Severity.WARNING, "Two names differ so little that one may be misspelt."),
    "misspelt-param": Kind(Severity.WARNING, "A key of withParams is nearly a trigger of the task."),
    "unless-repeats-after": Kind(Severity.NOTE, "A trigger stands in `after` and in `unless`."),
    "repeated-trigger": Kind(Severity.NOTE, "A trigger stands twice in one list."),
    "unbounded-and-every": Kind(Severity.NOTE, "Nothing limits how many instances a session can have of the task."),
    "task-prefix": Kind(Severity.NOTE, "A task's name does not begin with `t_`."),
    "unused-trigger": Kind(Severity.NOTE, "No rule uses a trigger that is declared."),
}
"""Everything that can be found, by rule id. An id stays; new ones may come."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was found."""

    rule: str
    """A key of `KINDS`."""
    severity: Severity
    task: str | None
    directive: str | None
    place: Place
    message: str
    fix: str
    """What to do about it."""
    details: tuple[str, ...] = ()
    """Lines that show it: for `order-sensitive`, two orders and what becomes of the task."""


def finding(  # noqa: PLR0913  # a finding has this many parts
    rule: str,
    place: Place,
    message: str,
    fix: str,
    *,
    task: str | None = None,
    directive: str | None = None,
    details: tuple[str, ...] = (),
) -> Finding:
    """A finding of the catalogue, with the severity it has there."""
    return Finding(
        rule=rule,
        severity=KINDS[rule].severity,
        task=task,
        directive=directive,
        place=place,
        message=message,
        fix=fix,
        details=details,
    )
