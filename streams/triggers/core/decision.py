"""`Decision`: the effects of one event on its session.

These are data classes, because compiled code reads the fields of a struct thirty times as slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mypy_extensions import mypyc_attr

from triggers.core.commands import BoundRules, CancelTask, Command, ForwardTrigger, Outcome


@mypyc_attr(acyclic=True, free_list_len=1)
@dataclass(init=False, slots=True)
class FireRecord:
    """A trigger that fired in a decision: the trigger of the event, or the task's name when its result cascades."""

    trigger: str
    scheduled: tuple[str, ...]
    """Names of the instances that it scheduled, by the declaration order of their tasks, then by creation order."""

    def __init__(self, trigger: str, scheduled: tuple[str, ...]) -> None:
        self.trigger = trigger
        self.scheduled = scheduled


@mypyc_attr(acyclic=True, free_list_len=1)
@dataclass(init=False, slots=True)
class Decision:
    """The effects of one event on its session."""

    outcome: Outcome
    commands: list[Command]
    """Commands in the order in which they are issued."""
    changed: list[tuple[str, str]]
    """(instance, status) for every status that an instance took, in order; the last one of an instance is current."""
    fires: list[FireRecord]
    cancels: Sequence[CancelTask]
    forwards: Sequence[ForwardTrigger]
    rules: BoundRules | None
    """The published rules that this event has bound the session to, or None."""
    failures: Sequence[tuple[str, str]]
    """(expression, reason) of every evaluation without a usable result, which counted as false."""

    def __init__(
        self,
        outcome: Outcome,
        *,
        commands: list[Command] | None = None,
        changed: list[tuple[str, str]] | None = None,
        fires: list[FireRecord] | None = None,
        cancels: Sequence[CancelTask] = (),
        forwards: Sequence[ForwardTrigger] = (),
        failures: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.outcome = outcome
        self.commands = [] if commands is None else commands
        self.changed = [] if changed is None else changed
        self.fires = [] if fires is None else fires
        self.cancels = cancels
        self.forwards = forwards
        self.rules = None
        self.failures = failures
