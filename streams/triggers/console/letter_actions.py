"""Pages that redrive and discard a dead letter. A job changes many of them."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response

from triggers.api.identity import Scope
from triggers.api.services import Services
from triggers.client.dead_letters import OPEN, DeadLetters
from triggers.codec.letter_mark_codec import LetterAction
from triggers.console.gate import PageRoute
from triggers.console.installation_pages import coordinates_of
from triggers.console.rendering import Renderer
from triggers.console.visit import Visit

_ACTIONS: Final = {"redrive": LetterAction.REDRIVEN, "discard": LetterAction.DISCARDED}


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
        ]
        return [
            PageRoute(method, path, handler, Scope.OPERATE)
            for path, ask, do in pages
            for method, handler in (("GET", ask), ("POST", do))
        ]

    async def ask_to_redrive_one(self, visit: Visit) -> Response:
        """Show what redriving a letter does."""
        return await self._ask(visit, "redrive")

    async def ask_to_discard_one(self, visit: Visit) -> Response:
        """Show what discarding a letter does."""
        return await self._ask(visit, "discard")

    async def redrive_one(self, visit: Visit) -> Response:
        """Redrive a letter."""
        return await self._handle(visit, "redrive")

    async def discard_one(self, visit: Visit) -> Response:
        """Discard a letter."""
        return await self._handle(visit, "discard")

    async def _ask(self, visit: Visit, action: str) -> Response:
        letters = DeadLetters(self._services.settings)
        stored = await self._services.blocking.run(letters.read_letter, *coordinates_of(visit))
        is_ready = stored.state == OPEN and not (action == "redrive" and stored.letter.missing)
        values = {
            "action": action, "participle": _ACTIONS[action].value, "stored": stored, "is_ready": is_ready,
            "address": visit.request.scope["path"],
        }  # fmt: skip
        return self._renderer.page(visit, "letter_confirmation.html", values)

    async def _handle(self, visit: Visit, action: str) -> Response:
        """Change the letter. One that somebody else has changed meanwhile stays as it is."""
        partition, offset = coordinates_of(visit)
        letters = DeadLetters(self._services.settings, visit.actor)

        def change() -> None:
            stored = letters.read_letter(partition, offset)
            mark = letters.redrive if _ACTIONS[action] is LetterAction.REDRIVEN else letters.discard
            mark([stored])

        await self._services.blocking.run(change)
        return RedirectResponse(f"/dead-letters/{partition}/{offset}", 303)
