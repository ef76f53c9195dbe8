"""Builders of records that no well-meaning producer sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

Json = Mapping[str, object]
Headers = Sequence[tuple[str, bytes]]

OWN: Final = b"own"
"""Stands for the key of the session that belongs to the case."""
ELSEWHERE: Final = -2
"""Stands for a partition other than the key's."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A record to publish."""

    value: bytes | None
    key: bytes | None = OWN
    headers: Headers = ()
    partition: int = -1
    time: int = 0
    """Timestamp in milliseconds, or 0 for now."""


@dataclass(frozen=True)
class Case:
    """The records of one attack, and what must become of them."""

    name: str
    sent: Sequence[Sent]
    letters: Sequence[str] = ()
    """Reasons of the dead letters that the records become, in order."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """How often each outcome must occur, for outcomes that only hostile records have."""
    statuses: Mapping[str, str] | None = None
    """Statuses of the session's instances afterwards, or None if the case does not check them."""
    said: str = ""
    """Text that the last dead letter's detail must contain."""


def text(**members: object) -> bytes:
    """Encodes an event in plain JSON."""
    return json.dumps(members).encode()


def raw(value: bytes | None) -> Sent:
    """Makes a record with any value, for the case's session."""
    return Sent(value=value)


def does(**members: object) -> Sent:
    """Makes an event of the case's session."""
    return Sent(value=text(**members))


def fire(trigger: str = "go", **kwargs: object) -> Sent:
    """Makes an event in which a trigger fires in the case's session."""
    return does(trigger=trigger, kwargs=kwargs)


def rules(**directives: object) -> Sent:
    """Makes an event that configures the case's session with one task `t`."""
    return does(configuration={"t": {"after": ["go"], "run": "app.t", **directives}})


def bad(name: str, value: bytes | None, reason: str, said: str = "") -> Case:
    """Makes a case of a single record that is refused."""
    return Case(name, [raw(value)], [reason], said=said)


def many(number: int, make: Callable[[int], Sent]) -> list[Sent]:
    """Makes that number of records."""
    return [make(n) for n in range(number)]
