"""What people answer: the same seed always gives the same questionnaires, so that the check knows what to expect.

Which sessions must import the browser's metadata follows from the rules and from the order of the events, and the order
within a session is kept by its key. `isEmbeddedApplication` must come first to prevent the task, and the task waits for
`t_importSubject`, which cannot finish before `questionnaireComplete`. So wherever it fires before that, the task must
not run. Fired later, it would race with the import of the subject, and the task might run or not: no application should
rely on that, and none here does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

BROWSERS = ("Firefox/145.0", "Chrome/143.0", "Safari/19.1", "Edge/143.0")
NAMES = ("Ann", "Bo", "Céline", "Dmitri", "Émile", "Fatma", "Gül", "Håkon", "Ines", "Jürgen", "李雷", "Zoë")


@dataclass(frozen=True)
class Questionnaire:
    """One session."""

    uid: str
    name: str
    browser: str
    pages: int
    pages_before: int
    """Pages that arrive before the questionnaire is complete; the others arrive after that."""
    embedded_before: int | None
    """Page before which the application says that it is embedded, one of those before completion; None: it is not."""

    @property
    def embedded(self) -> bool:
        """Whether the browser's metadata must not be imported."""
        return self.embedded_before is not None

    def triggers(self) -> Iterator[dict[str, object]]:
        """What the application fires, in order."""
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
    """So many questionnaires of 5 to 12 pages; one in five from an embedded application."""
    chance = random.Random(seed)  # noqa: S311  # it must repeat
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
