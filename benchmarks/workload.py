"""The events that everybody gets: questionnaires, in flight at once, in an order that repeats.

A session is opened by five events (its rules, `isEmbeddedApplication`, the first page, completion, and the result of
the one task that completion runs); from then on each page runs one task. So a page is one record in and one out, for
the agent and for whoever is measured beside it. Where only pages are measured, the agent finds the sessions open.
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
"""A compressor's window holds about two hundred of them, so that pages compress as badly as real ones."""

Encode = Callable[[Event], bytes]
Published = tuple[bytes, bytes]
"""Key and value of an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """So many waves of sessions; those of a wave are in flight together, and take turns."""

    name: str
    in_flight: int
    pages: int
    waves: int = 1
    whole: bool = False
    """Openings are measured too; otherwise sessions are open already, and only pages are."""

    @property
    def sessions(self) -> int:
        """Of all waves."""
        return self.in_flight * self.waves

    def keys(self) -> list[bytes]:
        """Of all sessions."""
        return [key for wave in range(self.waves) for key in self._keys(wave)]

    @property
    def events(self) -> int:
        """Of all sessions."""
        return self.sessions * (len(opening()) + self.pages)

    @property
    def page_events(self) -> int:
        """Those that run a task each, after the session's opening."""
        return self.sessions * self.pages

    @property
    def commands(self) -> int:
        """Of everything that is measured: one for each page; in a whole session one more, for completion."""
        return self.page_events + self.sessions * self.whole

    @property
    def events_per_command(self) -> float:
        """Of what is measured."""
        return self.events / self.commands if self.whole else 1.0

    def all_events(self) -> Iterator[Published]:
        """Wave by wave: every session's opening, then page after page."""
        for wave in range(self.waves):
            keys = self._keys(wave)
            for value in opening():
                yield from ((key, value) for key in keys)
            yield from self._pages(keys)

    def only_pages(self, share: float = 1.0) -> Iterator[Published]:
        """The pages without the openings; a share of them, from the start."""
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
    """What opens a session, encoded."""
    return tuple(map(encode, opening_events()))


@cache
def pages(encode: Encode = encode_event) -> tuple[bytes, ...]:
    """Pages of 200 bytes of JSON each, encoded."""
    return tuple(map(encode, page_events()))


def opening_events() -> list[Event]:
    """The rules, then everything that the pages wait for."""
    return [
        ConfigurationUpdated(configuration=msgspec.json.encode(RULES)),
        TriggerFired(trigger="isEmbeddedApplication"),
        TriggerFired(trigger="firstPageReceived", kwargs=b'{"name":"Marcus"}'),
        TriggerFired(trigger="questionnaireComplete"),
        TaskFinished(instance="t_importSubject#0", attempt=1, result=b'{"subjectId":42}'),
    ]


def page_events() -> list[Event]:
    """A thousand different ones."""
    chance = random.Random(2017)  # noqa: S311  # it must repeat
    return [TriggerFired(trigger="pageReceived", kwargs=kwargs(chance)) for _ in range(_DIFFERENT_PAGES)]


def kwargs(chance: random.Random) -> bytes:
    """A JSON object of 200 bytes."""
    start, end = b'{"responses":{"answer":"', b'"}}'
    return start + chance.randbytes(KWARGS_BYTES).hex().encode()[: KWARGS_BYTES - len(start) - len(end)] + end
