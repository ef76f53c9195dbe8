"""The events that every system gets, and the tasks that the rules run for them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.peers.tally import Tally, expected_tally
from questionnaire.questionnaires import Questionnaire, questionnaires

Json = dict[str, object]
Fired = tuple[str, Json, int]
"""A session, an event, and the number of the session's events if this is its last one, otherwise 0."""

OPEN_SESSIONS = 50
"""Number of people who answer at a time."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Events in the order in which they are fired."""

    events: list[Fired]
    expected: Tally

    def write(self, file: Path) -> None:
        """Writes the events for the program that fires them."""
        file.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in self.events))


def whole_questionnaires(count: int, seed: int) -> Lot:
    """Returns the demo's questionnaires: 5 to 12 pages each, one in five embedded, fifty answered at a time."""
    sessions = questionnaires(count, seed)
    events = list(_interleave(sessions, random.Random(seed)))  # noqa: S311  # repeatable
    return Lot(events, expected_tally(task for session in sessions for task in tasks_of(session)))


def tasks_of(session: Questionnaire) -> Iterator[tuple[str, str, int]]:
    """Yields the tasks that the rules run for a questionnaire."""
    yield session.uid, "subject", 0
    for page in range(1, session.pages + 1):
        yield session.uid, "responses", page
    if not session.embedded:
        yield session.uid, "browser", 0


def opened_sessions() -> Lot:
    """Returns the events that open fifty sessions: each has its subject and waits for pages."""
    uids = _open_uids()
    opening: tuple[Json, ...] = (
        {"trigger": "isEmbeddedApplication"},
        {"trigger": "firstPageReceived", "kwargs": {"name": "Ann"}},
        {"trigger": "questionnaireComplete"},
    )
    events: list[Fired] = [(uid, event, 0) for event in opening for uid in uids]
    return Lot(events, expected_tally((uid, "subject", 0) for uid in uids))


def pages_of_open_sessions(first: int, count: int) -> Lot:
    """Returns single pages, each of which runs one task. They go to one open session after the other."""
    uids = _open_uids()
    pages = [(uids[page % OPEN_SESSIONS], page) for page in range(first, first + count)]
    events: list[Fired] = [(uid, _page(page), 0) for uid, page in pages]
    return Lot(events, expected_tally((uid, "responses", page) for uid, page in pages))


def _open_uids() -> list[str]:
    return [f"open-{number:05d}" for number in range(OPEN_SESSIONS)]


def _page(page: int) -> Json:
    responses = {"page": page, "answer": f"Ann on page {page}", "browser": "Firefox/145.0"}
    return {"trigger": "pageReceived", "kwargs": {"responses": responses}}


def _interleave(sessions: list[Questionnaire], chance: random.Random) -> Iterator[Fired]:
    waiting = iter(sessions)
    answering: list[tuple[str, list[Json], int]] = []
    while True:
        while len(answering) < OPEN_SESSIONS and (session := next(waiting, None)):
            triggers = list(session.triggers())
            answering.append((session.uid, triggers[::-1], len(triggers)))
        if not answering:
            return
        chosen = chance.randrange(len(answering))
        uid, remaining, count = answering[chosen]
        event = remaining.pop()
        if remaining:
            yield uid, event, 0
        else:
            yield uid, event, count
            del answering[chosen]
