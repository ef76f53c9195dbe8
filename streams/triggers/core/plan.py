"""A compiled configuration, as the engine reads it: the rules, which of them use a trigger, and the limits.

The classes are plain data classes because every event reads their fields: in compiled code such a read is thirty times
as fast as that of a field of a msgspec struct.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from triggers.core.edition_2_plan import Edition2Plan
from triggers.core.edition_2_rule import Edition2Rule
from triggers.core.session_limits import DEFAULT_LIMITS, Limits, Timeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: one task of a configuration. Trigger names are sorted, because their order in JSON has no meaning."""

    name: str
    run: str
    after: tuple[str, ...]
    """Triggers that an instance needs, including `and_every`."""
    and_every: str | None = None
    unless: tuple[str, ...] = ()
    using: str | None = None
    with_params: bytes = b"{}"
    """JSON object that the fired kwargs are merged into."""
    timeouts: Timeouts = DEFAULT_LIMITS.timeouts
    extra: dict[str, bytes] = field(default_factory=dict)
    """JSON values of the application's own keys."""
    edition_2: Edition2Rule | None = None
    """The task's directives as edition 2 compiles them, or None in edition 1."""
    after_set: frozenset[str] = frozenset()
    unless_set: frozenset[str] = frozenset()

    def uses_trigger(self, trigger: str) -> bool:
        """Returns whether the trigger can change an instance of this task."""
        return trigger in self.after_set or trigger in self.unless_set


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled configuration. Sessions with equal configurations share it."""

    digest: bytes
    """Hash of `text`, or empty if the session has no configuration."""
    text: bytes
    """The whole configuration as JSON."""
    tasks: dict[str, Rule]
    """Rules by task name, in declaration order."""
    by_trigger: dict[str, tuple[Rule, ...]]
    """Rules that use a trigger, in declaration order."""
    limits: Limits = DEFAULT_LIMITS
    manager: str = ""
    """Key of the manager whose hooks run, or empty if the configuration names none."""
    edition_2: Edition2Plan | None = None
    """The configuration as edition 2 compiles it, or None in edition 1."""

    @property
    def edition(self) -> int:
        """The edition of the rules' language."""
        return 1 if self.edition_2 is None else 2


NO_CONFIGURATION: Final = Plan(b"", b"{}", {}, {})
