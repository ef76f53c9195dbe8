"""The events that every program gets: questionnaires in flight at once, in a repeatable order.

Five events open a session: its rules, `isEmbeddedApplication`, the first page, completion, and the result of the task
that completion runs. After that each page runs one task. So a page is one record in and one record out, for the agent
and for the programs beside it. If only pages are measured, the agent's sessions are open at the start.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice

import msgspec

from triggers.codec import encode_event
from triggers.core.events import ConfigurationUpdated, Event, TaskFinished, TriggerFired

RULES = {
    "t_importSubject": {"after": ["firstPageReceived", "questionnaireComplete"], "run": "app.tasks.ImportSubject"},
    "t_importResponses": {
        "after": ["t_importSubject"],
        "andEvery": "pageReceived",
        "run": "app.tasks.ImportResponses",
    },
    "t_importBrowserMetadata": {
        "after": ["t_importSubject", "pageReceived"],
        "unless": ["isEmbeddedApplication"],
        "run": "app.tasks.ImportBrowserMetadata",
    },
}

KWARGS_BYTES = 200
_DIFFERENT_PAGES = 1000
"""Number of different pages. A compressor's window holds about two hundred, so they compress as badly as real pages."""

Encode = Callable[[Event], bytes]
Published = tuple[bytes, bytes]
"""Key and value of an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Waves of sessions. The sessions of a wave are in flight together, and their events alternate."""

    name: str
    in_flight: int
    pages: int
    waves: int = 1
    whole: bool = False
    """True if openings are measured, too. Otherwise sessions are open at the start, and only pages are measured."""

    @property
    def sessions(self) -> int:
        """Number of sessions of all waves."""
        return self.in_flight * self.waves

    def keys(self) -> list[bytes]:
        """Returns the keys of all sessions."""
        return [key for wave in range(self.waves) for key in self._keys(wave)]

    @property
    def events(self) -> int:
        """Number of events of all sessions."""
        return self.sessions * (len(opening()) + self.pages)

    @property
    def page_events(self) -> int:
        """Number of pages after the opening, each of which runs a task."""
        return self.sessions * self.pages

    @property
    def commands(self) -> int:
        """Number of commands: one for each page, and in a whole session one more for completion."""
        return self.page_events + self.sessions * self.whole

    @property
    def events_per_command(self) -> float:
        """Number of measured events for each command."""
        return self.events / self.commands if self.whole else 1.0

    def all_events(self) -> Iterator[Published]:
        """Yields the events wave by wave, first the openings of its sessions, then page after page."""
        for wave in range(self.waves):
            keys = self._keys(wave)
            for value in opening():
                yield from ((key, value) for key in keys)
            yield from self._pages(keys)

    def only_pages(self, share: float = 1.0) -> Iterator[Published]:
        """Yields the first share of the pages, without openings."""
        waves = (self._pages(self._keys(wave)) for wave in range(self.waves))
        return islice(chain.from_iterable(waves), int(self.page_events * share))

    def _keys(self, wave: int) -> list[bytes]:
        return [b"questionnaire-%d-%06d" % (wave, number) for number in range(self.in_flight)]

    def _pages(self, keys: list[bytes]) -> Iterator[Published]:
        values = pages()
        for page in range(self.pages):
            for number, key in enumerate(keys):
                yield key, values[(number + 7 * page) % _DIFFERENT_PAGES]


@cache
def opening(encode: Encode = encode_event) -> tuple[bytes, ...]:
    """Returns the encoded events that open a session."""
    return tuple(map(encode, opening_events()))


@cache
def pages(encode: Encode = encode_event) -> tuple[bytes, ...]:
    """Returns the encoded pages, each with 200 bytes of JSON."""
    return tuple(map(encode, page_events()))


def opening_events() -> list[Event]:
    """Returns the rules and the events for which the pages wait."""
    return [
        ConfigurationUpdated(configuration=msgspec.json.encode(RULES)),
        TriggerFired(trigger="isEmbeddedApplication"),
        TriggerFired(trigger="firstPageReceived", kwargs=b'{"name":"Marcus"}'),
        TriggerFired(trigger="questionnaireComplete"),
        TaskFinished(instance="t_importSubject#0", attempt=1, result=b'{"subjectId":42}'),
    ]


def page_events() -> list[Event]:
    """Returns a thousand different pages."""
    chance = random.Random(2017)  # noqa: S311  # repeatable
    return [TriggerFired(trigger="pageReceived", kwargs=kwargs(chance)) for _ in range(_DIFFERENT_PAGES)]


def kwargs(chance: random.Random) -> bytes:
    """Returns a JSON object of 200 bytes."""
    start, end = b'{"responses":{"answer":"', b'"}}'
    return start + chance.randbytes(KWARGS_BYTES).hex().encode()[: KWARGS_BYTES - len(start) - len(end)] + end
