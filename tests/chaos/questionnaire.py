"""The rules and the events of the campaign's sessions. They use every way in which events cause commands."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

Fields = dict[str, Any]

TASKS = "tests.chaos.tasks"

RULES: Fields = {
    "t_import": {"after": ["opened", "complete"], "run": f"{TASKS}.work"},
    "t_page": {"after": ["t_import"], "andEvery": "page", "run": f"{TASKS}.work"},
    "t_browser": {"after": ["t_import", "page"], "unless": ["embedded"], "run": f"{TASKS}.work"},
    "t_twice": {"after": ["t_import"], "run": f"{TASKS}.reports_twice"},
    "t_retry": {"after": ["complete"], "run": f"{TASKS}.Retries"},
    "t_fail": {"after": ["t_retry"], "run": f"{TASKS}.fails"},
    "t_report": {"after": ["t_twice", "t_retry"], "run": f"{TASKS}.work"},
}
"""Rules with joins, repetitions, cascades, an `unless`, a repeated result, a retry with a timer and a failure."""

ENDLESS: Fields = {"t_page": {"after": ["opened"], "andEvery": "page", "run": f"{TASKS}.work"}}

LIGHT: Fields = {"t_count": {"after": [], "andEvery": "counted", "run": f"{TASKS}.work"}}
"""Rules with which most events cause no command."""
_COUNTED = 0.01

NO_LIMITS: Fields = {}
REISSUED: Fields = {"$limits": {"timeouts": {"scheduled": 240}}}
"""Timeouts of the rules behind a dispatcher.

Celery takes a message from Redis before it records that it has it, so a worker that is killed in between loses the
task. The engine issues it again after this timeout, which is longer than any backlog of a campaign takes."""


def session(chance: Random, limits: Fields = NO_LIMITS) -> Iterator[Fields]:
    """Returns the events of an ordinary session."""
    yield {"configuration": RULES | limits}
    yield {"trigger": "opened", "kwargs": {"name": f"person {chance.randrange(1000)}"}}
    pages = chance.randrange(1, 6)
    for number in range(pages):
        yield _page(chance, number)
    if chance.random() < 0.3:
        yield {"trigger": "embedded"}
    yield {"trigger": "complete"}
    for number in range(pages, pages + chance.randrange(3)):
        yield _page(chance, number)


def light_session(chance: Random, limits: Fields = NO_LIMITS) -> Iterator[Fields]:
    """Returns the events of a session that rarely runs a task."""
    yield {"configuration": LIGHT | limits}
    for number in range(chance.randrange(50, 400)):
        name = "counted" if chance.random() < _COUNTED else "answered"
        yield {"trigger": name, "kwargs": {"n": number}}


def endless(chance: Random, limits: Fields = NO_LIMITS) -> Iterator[Fields]:
    """Yields the events of a session that never ends and only grows."""
    yield {"configuration": ENDLESS | limits}
    yield {"trigger": "opened"}
    number = 0
    while True:
        yield _page(chance, number)
        number += 1


def _page(chance: Random, number: int) -> Fields:
    return {"trigger": "page", "kwargs": {"page": number, "responses": {"q": "x" * chance.randrange(10, 200)}}}


GARBAGE = (
    b"not JSON",
    b'{"trigger": 3}',
    b'{"triger": "page"}',
    b"",
    b"\xc3\x01garbage",
    b'{"trigger": "a", "kwargs": []}',
)
"""Values that no worker can decode. Each must become exactly one dead letter."""
