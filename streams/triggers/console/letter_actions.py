"""Pages that redrive and discard dead letters: one of them, or all that a list shows."""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import RedirectResponse, Response

from triggers.api.identity import Scope
from triggers.api.services import Services
from triggers.client.dead_letters import OPEN, DeadLetters, StoredLetter
from triggers.codec.letter_mark_codec import LetterAction
from triggers.console.gate import PageRoute
from triggers.console.installation_pages import coordinates_of
from triggers.console.parameters import number_of, text_of
from triggers.console.rendering import Renderer
from triggers.console.visit import Visit
from triggers.errors import CallError

_ACTIONS: Final = {"redrive": LetterAction.REDRIVEN, "discard": LetterAction.DISCARDED}
_LETTERS: Final = 100
_MAX_LETTERS: Final = 1_000
_COORDINATES: Final = re.compile(r"(\d{1,9})/(\d{1,18})")


class LetterActions:
    """Handlers of these pages."""

    def __init__(self, services: Services, renderer: Renderer) -> None:
        self._services = services
        self._renderer = renderer

    def routes(self) -> list[PageRoute]:
        """Return the routes of all handlers."""
        pages = [
            (f"/dead-letters/{{partition}}/{{offset}}/{name}", ask, do)
            for name, ask, do in (
                ("redrive", self.ask_to_redrive_one, self.redrive_one),
                ("discard", self.ask_to_discard_one, self.discard_one),
            )
        ] + [
            ("/dead-letters/redrive", self.ask_to_redrive_all, self.redrive_all),
            ("/dead-letters/discard", self.ask_to_discard_all, self.discard_all),
        ]
        return [
            PageRoute(method, path, handler, Scope.OPERATE)
            for path, ask, do in pages
            for method, handler in (("GET", ask), ("POST", do))
        ]

    async def ask_to_redrive_one(self, visit: Visit) -> Response:
        """Show what redriving a letter does."""
        return await self._ask(visit, "redrive", [await self._read(visit)])

    async def ask_to_discard_one(self, visit: Visit) -> Response:
        """Show what discarding a letter does."""
        return await self._ask(visit, "discard", [await self._read(visit)])

    async def ask_to_redrive_all(self, visit: Visit) -> Response:
        """Show which open letters would be redriven: `?reason=&limit=`."""
        return await self._ask(visit, "redrive", await self._list(visit))

    async def ask_to_discard_all(self, visit: Visit) -> Response:
        """Show which open letters would be discarded: `?reason=&limit=`."""
        return await self._ask(visit, "discard", await self._list(visit))

    async def redrive_one(self, visit: Visit) -> Response:
        """Redrive a letter."""
        return await self._handle(visit, "redrive", [coordinates_of(visit)])

    async def discard_one(self, visit: Visit) -> Response:
        """Discard a letter."""
        return await self._handle(visit, "discard", [coordinates_of(visit)])

    async def redrive_all(self, visit: Visit) -> Response:
        """Redrive the letters that were shown."""
        return await self._handle(visit, "redrive", _shown_in(visit))

    async def discard_all(self, visit: Visit) -> Response:
        """Discard the letters that were shown."""
        return await self._handle(visit, "discard", _shown_in(visit))

    async def _ask(self, visit: Visit, action: str, letters: list[StoredLetter]) -> Response:
        ready = [each for each in letters if each.state == OPEN and not (action == "redrive" and each.letter.missing)]
        values = {
            "action": action, "participle": _ACTIONS[action].value, "letters": ready,
            "left_out": len(letters) - len(ready), "address": visit.request.scope["path"],
            "reason": text_of(visit.query, "reason"),
        }  # fmt: skip
        return self._renderer.page(visit, "letter_confirmation.html", values)

    async def _handle(self, visit: Visit, action: str, chosen: list[tuple[int, int]]) -> Response:
        """Change the letters. Those that somebody else has changed meanwhile stay as they are."""
        letters = DeadLetters(self._services.settings, visit.actor)

        def change() -> None:
            wanted = set(chosen)
            stored = [each for each in letters.read_all() if (each.partition, each.offset) in wanted]
            mark = letters.redrive if _ACTIONS[action] is LetterAction.REDRIVEN else letters.discard
            mark([each for each in stored if each.mark is None])

        await self._services.blocking.run(change)
        if len(chosen) == 1:
            return RedirectResponse(f"/dead-letters/{chosen[0][0]}/{chosen[0][1]}", 303)
        return RedirectResponse(f"/dead-letters?state={_ACTIONS[action].value}", 303)

    async def _read(self, visit: Visit) -> StoredLetter:
        letters = DeadLetters(self._services.settings)
        return await self._services.blocking.run(letters.read_letter, *coordinates_of(visit))

    async def _list(self, visit: Visit) -> list[StoredLetter]:
        limit = number_of(visit.query, "limit", _LETTERS, _MAX_LETTERS) or _LETTERS
        reason = text_of(visit.query, "reason") or None
        return await self._services.blocking.run(DeadLetters(self._services.settings).read_newest, limit, reason, OPEN)


def _shown_in(visit: Visit) -> list[tuple[int, int]]:
    """Return the coordinates of the letters that the form has shown, so that no other one is changed."""
    words = text_of(visit.form, "letters").split()
    matches = [_COORDINATES.fullmatch(word) for word in words]
    chosen = [(int(match[1]), int(match[2])) for match in matches if match is not None]
    if not chosen or len(chosen) != len(words) or len(chosen) > _MAX_LETTERS:
        raise CallError(f"letters must be from 1 to {_MAX_LETTERS} coordinates such as 0/17")
    return chosen
