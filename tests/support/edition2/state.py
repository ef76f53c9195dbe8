"""One session of the model: plain objects, nothing kept flat, nothing written anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from triggers.core.conditions.held import Held, Memory
from triggers.core.contribution import Contribution
from triggers.core.edition_2_plan import Edition2Plan
from triggers.core.statuses import RESOLVED

Json = dict[str, Any]
WAITING = {"unstarted", "delayed"}
EDITION_2_RESOLVED = {*RESOLVED, "expired", "cancelled"}


class Refused(Exception):
    """The step is refused; the message is its `error`."""


@dataclass
class Instance:
    """An instance of a task, with what it holds and the timers that stand."""

    task: str
    number: int
    created: int
    status: str = "unstarted"
    held: Held = field(default_factory=Held)
    kwargs: dict[str, bytes] = field(default_factory=dict)
    """What the task receives by alias, fixed when the instance stops waiting."""
    attempt: int = 0
    settled: bool = True
    ancestors: int = 0
    parent: str | None = None
    depth: int = 0
    """Cascade depth."""
    delayed_at: int = 0
    timers: dict[str, int] = field(default_factory=dict)
    queue: str | None = None
    """The queue of the command of its current attempt, None for the default one."""
    exception: tuple[str | None, bytes] = (None, b"{}")

    @property
    def name(self) -> str:
        return f"{self.task}#{self.number}"

    @property
    def is_resolved(self) -> bool:
        return self.status in EDITION_2_RESOLVED


@dataclass
class Session:
    """One session."""

    uid: str
    clock: int = 0
    edition: int = 1
    written: Json = field(default_factory=dict)
    rules: Edition2Plan = field(default_factory=lambda: Edition2Plan(tasks={}, by_trigger={}))
    instances: list[Instance] = field(default_factory=list)
    latest: dict[str, Contribution] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    fires: int = 0
    finalized: bool = False
    bound: tuple[str, int] | None = None
    """Name and version of its published rules."""
    from_rules: set[str] = field(default_factory=set)
    """Tasks that came from them and were not replaced since."""

    def of(self, task: str) -> list[Instance]:
        return [instance for instance in self.instances if instance.task == task]

    def is_unresolved(self, task: str) -> bool:
        own = self.of(task)
        return not own or any(not instance.is_resolved for instance in own)

    def variables(self) -> Json:
        return {"uid": self.uid, "rules": self.bound[0] if self.bound else None}
