"""The answers of people. A seed always gives the same questionnaires, so that the check knows what to expect.

The rules and the order of events decide which sessions must import the browser's metadata. The session's key keeps the
order. `isEmbeddedApplication` prevents the task if it fires first. The task waits for `t_importSubject`, which cannot
finish before `questionnaireComplete`. So if `isEmbeddedApplication` fires before that, the task must not run. If it
fired later, it would race with the import of the subject. No application should rely on the outcome, and none here
does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

BROWSERS = ("Firefox/145.0", "Chrome/143.0", "Safari/19.1", "Edge/143.0")
NAMES = ("Ann", "Bo", "Céline", "Dmitri", "Émile", "Fatma", "Gül", "Håkon", "Ines", "Jürgen", "李雷", "Zoë")


@dataclass(frozen=True)
class Questionnaire:
    """A session and its answers."""

    uid: str
    name: str
    browser: str
    pages: int
    pages_before: int
    """Number of pages that arrive before the questionnaire is complete. The others arrive later."""
    embedded_before: int | None
    """Page before which `isEmbeddedApplication` fires, or None if it does not. It is one of those before completion."""

    @property
    def embedded(self) -> bool:
        """True if the browser's metadata must not be imported."""
        return self.embedded_before is not None

    def triggers(self) -> Iterator[dict[str, object]]:
        """Yields the triggers that the application fires, in order."""
        yield {"trigger": "firstPageReceived", "kwargs": {"name": self.name}}
        for page in range(1, self.pages_before + 1):
            if page == self.embedded_before:
                yield {"trigger": "isEmbeddedApplication"}
            yield self._page(page)
        yield {"trigger": "questionnaireComplete"}
        for page in range(self.pages_before + 1, self.pages + 1):
            yield self._page(page)

    def _page(self, page: int) -> dict[str, object]:
        responses = {"page": page, "answer": f"{self.name} on page {page}", "browser": self.browser}
        return {"trigger": "pageReceived", "kwargs": {"responses": responses}}


def questionnaires(count: int, seed: int) -> list[Questionnaire]:
    """Makes questionnaires of 5 to 12 pages, one in five from an embedded application."""
    chance = random.Random(seed)  # noqa: S311  # repeatable
    return [_questionnaire(number, seed, chance) for number in range(count)]


def _questionnaire(number: int, seed: int, chance: random.Random) -> Questionnaire:
    pages = chance.randint(5, 12)
    pages_before = chance.randint(1, pages)
    return Questionnaire(
        uid=f"questionnaire-{seed}-{number:05d}",
        name=chance.choice(NAMES),
        browser=chance.choice(BROWSERS),
        pages=pages,
        pages_before=pages_before,
        embedded_before=chance.randint(1, pages_before) if chance.random() < 0.2 else None,
    )
