"""Pages that change one session: a form, what it would do, and the change itself.

Each of them works without scripts. A form is sent once to see what would happen, and once more to make it happen; then
the browser is redirected to the session, so that a reload sends nothing again.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import RedirectResponse, Response

from triggers.api.identity import Scope
from triggers.api.services import Services
from triggers.client.session_repairs import InstanceRepair, find_instance
from triggers.console.forms import ParameterValues
from triggers.console.gate import PageRoute
from triggers.console.parameters import text_of
from triggers.console.questions import Questions
from triggers.console.rendering import Renderer
from triggers.console.repair_forms import MEANINGS, Preview, Repair, event_of, first_fields, preview_of
from triggers.console.visit import Visit, path_of
from triggers.core.events import DeletionRequested
from triggers.core.statuses import Status
from triggers.core.view import InstanceView
from triggers.errors import CallError, EventsExpired, NotFound, SessionNotFound

_SETTABLE: Final = (Status.RUNNING, Status.FINISHED, Status.FAILED, Status.SKIPPED, Status.ABANDONED)


class SessionActions:
    """Handlers of these pages."""

    def __init__(self, questions: Questions, services: Services, renderer: Renderer) -> None:
        self._ask = questions
        self._services = services
        self._renderer = renderer

    def routes(self) -> list[PageRoute]:
        """Return the routes of all handlers."""
        repair, delete = "/sessions/{uid}/instances/{instance}/{repair}", "/sessions/{uid}/delete"
        return [
            PageRoute("GET", repair, self.show_form, Scope.OPERATE),
            PageRoute("POST", repair, self.repair, Scope.OPERATE),
            PageRoute("GET", delete, self.ask_to_delete, Scope.ADMIN),
            PageRoute("POST", delete, self.delete, Scope.ADMIN),
        ]

    async def show_form(self, visit: Visit) -> Response:
        """Show the form of a repair, filled with what the instance has."""
        repair, instance = _repair_of(visit), await self._read_instance(visit)
        return self._form(visit, instance, first_fields(repair, instance))

    async def repair(self, visit: Visit) -> Response:
        """Show what a form would do; if that is confirmed, do it."""
        repair, uid, instance = _repair_of(visit), visit.name("uid"), await self._read_instance(visit)
        try:
            event = event_of(repair, instance, visit.form, visit.actor)
            if text_of(visit.form, "step") == "confirm":
                done = await self._services.repairs.change(uid, event)
                return RedirectResponse(f"/sessions/{path_of(uid)}?done={done.coordinates.offset}", 303)
            preview = await asyncio.to_thread(self._preview, uid, event)
        except CallError as error:
            return self._form(visit, instance, visit.form, str(error))
        values = {
            "uid": uid, "instance": instance, "repair": repair, "fields": visit.form, "event": event,
            "preview": preview,
        }  # fmt: skip
        return self._renderer.page(visit, "repair_confirmation.html", values)

    async def ask_to_delete(self, visit: Visit) -> Response:
        """Show what a deletion means, or that the session is gone."""
        uid = visit.name("uid")
        try:
            session = await self._services.blocking.run(self._services.reader.read, uid)
        except SessionNotFound:
            session = None
        return self._renderer.page(visit, "deletion.html", {"uid": uid, "session": session})

    async def delete(self, visit: Visit) -> Response:
        """Delete a session."""
        uid = visit.name("uid")
        await self._services.repairs.delete(uid, DeletionRequested(actor=visit.actor))
        return RedirectResponse(f"/sessions/{path_of(uid)}/delete", 303)

    async def _read_instance(self, visit: Visit) -> InstanceView:
        session = await self._services.blocking.run(self._services.reader.read, visit.name("uid"))
        return find_instance(session, visit.name("instance"))

    def _preview(self, uid: str, event: InstanceRepair) -> Preview | None:
        """Return what an event would do, or None if the session's first events were removed by retention. Blocks."""
        try:
            return preview_of(uid, self._ask.log(uid), event)
        except EventsExpired:
            return None

    def _form(self, visit: Visit, instance: InstanceView, fields: ParameterValues, why: str = "") -> Response:
        repair = _repair_of(visit)
        values = {
            "uid": visit.name("uid"), "instance": instance, "repair": repair, "fields": fields, "why": why,
            "meaning": MEANINGS[repair], "statuses": _SETTABLE,
        }  # fmt: skip
        return self._renderer.page(visit, "repair.html", values, 400 if why else 200)


def _repair_of(visit: Visit) -> Repair:
    """Return what the address asks to do. Raises NotFound for something else."""
    name = visit.name("repair")
    if name not in set(Repair):
        raise NotFound(f"{name!r:.100} is no repair of an instance; it must be one of {', '.join(Repair)}")
    return Repair(name)
