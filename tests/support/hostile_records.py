"""Words for records that no well-meaning producer sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

Json = Mapping[str, object]
Headers = Sequence[tuple[str, bytes]]

OWN: Final = b"own"
"""Stands for a session of the case's own."""
ELSEWHERE: Final = -2
"""Stands for a partition that is not the key's."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One record."""

    value: bytes | None
    key: bytes | None = OWN
    headers: Headers = ()
    partition: int = -1
    time: int = 0
    """Timestamp in milliseconds; 0: now."""


@dataclass(frozen=True)
class Case:
    """Records of one attack; `letters`: reasons of the dead letters they become, in order."""

    name: str
    sent: Sequence[Sent]
    letters: Sequence[str] = ()
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Outcomes that only this table's attacks have, and how often."""
    statuses: Mapping[str, str] | None = None
    """Instances of the case's own session afterwards; None: there is nothing to see."""
    said: str = ""
    """Part of the last dead letter's detail."""


def text(**members: object) -> bytes:
    """An event in plain JSON."""
    return json.dumps(members).encode()


def raw(value: bytes | None) -> Sent:
    """A value in the case's own session."""
    return Sent(value=value)


def does(**members: object) -> Sent:
    """An event in the case's own session."""
    return Sent(value=text(**members))


def fire(trigger: str = "go", **kwargs: object) -> Sent:
    """A trigger fires in the case's own session."""
    return does(trigger=trigger, kwargs=kwargs)


def rules(**directives: object) -> Sent:
    """The case's session gets one task `t`."""
    return does(configuration={"t": {"after": ["go"], "run": "app.t", **directives}})


def bad(name: str, value: bytes | None, reason: str, said: str = "") -> Case:
    """A single record that is refused."""
    return Case(name, [raw(value)], [reason], said=said)


def many(number: int, make: Callable[[int], Sent]) -> list[Sent]:
    """So many records."""
    return [make(n) for n in range(number)]
