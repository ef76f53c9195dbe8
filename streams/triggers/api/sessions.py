"""Reads one session: its state, instances, timeline and explanation."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from starlette.responses import Response

from triggers.analysis.explain.explanation import Explanation
from triggers.analysis.explain.proofs import explain
from triggers.analysis.time_travel import NOW, Moment, parse_moment, until, view_at
from triggers.api.call import Call
from triggers.api.identity import Scope
from triggers.api.names import INSTANCE, UID
from triggers.api.operations import DocumentedResponse, Handler, Operation
from triggers.api.parameters import Parameter, QueryParameter, integer, parsed, text
from triggers.api.problems import Kind
from triggers.api.services import Services, json_response
from triggers.api.timeline import Timeline, timeline_of
from triggers.client.session_repairs import find_instance
from triggers.core.view import InstanceView, SessionView
from triggers.queries.known_statuses import check_status

AT: Final = parsed(
    "at",
    "The moment: an offset, meaning just after that event, or a time such as 2024-03-01T10:20:30Z. Default: now.",
    parse_moment,
    default=NOW,
    example="2024-03-01T10:20:30Z",
)
STATUS: Final = text(
    "status",
    "Only instances with this status. One that the framework does not know and no instance of any session has is"
    " refused.",
    "failed",
)
TASK: Final = text("task", "Only this task.", "t_ship")
AFTER: Final = integer(
    "after", "Only events after this offset: `next` of the previous page.", default=-1, minimum=-1, maximum=2**63 - 1
)
EVENT_LIMIT: Final = integer("limit", "Maximum number of events.", default=200, minimum=1, maximum=1000)


class InstanceList(Struct, frozen=True, kw_only=True):
    """Instances in creation order."""

    instances: list[InstanceView]


class Sessions:
    """The operations that read one session."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """Returns the operations of this class."""
        return [
            _read(
                "/v1/sessions/{uid}",
                self.show_session,
                "Show a session: its tasks, instances, statuses and kwargs.",
                DocumentedResponse("The session. Times are milliseconds since 1970-01-01 UTC.", SessionView),
                query=(AT,),
            ),
            _read(
                "/v1/sessions/{uid}/instances",
                self.list_instances,
                "List the instances of a session.",
                DocumentedResponse("The instances.", InstanceList),
                query=(STATUS, TASK),
            ),
            _read(
                "/v1/sessions/{uid}/instances/{instance}",
                self.show_instance,
                "Show one instance.",
                DocumentedResponse("The instance.", InstanceView),
                parameters=(UID, INSTANCE),
            ),
            _read(
                "/v1/sessions/{uid}/timeline",
                self.show_timeline,
                "Show what happened to a session: each event, what it did, and who caused it.",
                DocumentedResponse("The events in their order.", Timeline),
                query=(AFTER, EVENT_LIMIT),
            ),
            _read(
                "/v1/sessions/{uid}/explanation",
                self.explain_session,
                "Explain why each instance has its status, and what is missing.",
                DocumentedResponse("The explanation, as `triggers explain --json` prints it.", Explanation),
                query=(AT, TASK),
            ),
        ]

    async def show_session(self, call: Call) -> Response:
        """Shows a session, now or at a moment."""
        uid, moment = call.name("uid"), call.query(AT)
        if moment == NOW:
            return json_response(await self._services.blocking.run(self._services.reader.read, uid))
        return json_response(await self._services.blocking.run(self._view_at, uid, moment))

    async def list_instances(self, call: Call) -> Response:
        """Lists a session's instances."""
        status, task = call.query(STATUS), call.query(TASK)
        session = await self._services.blocking.run(self._services.reader.read, call.name("uid"))
        instances = [each for each in session.instances if status in ("", each.status) and task in ("", each.task)]
        if not instances:
            await self._services.blocking.run(check_status, status or None, self._services.search.count_statuses)
        return json_response(InstanceList(instances=instances))

    async def show_instance(self, call: Call) -> Response:
        """Shows one instance."""
        name = call.name("instance")
        session = await self._services.blocking.run(self._services.reader.read, call.name("uid"))
        return json_response(find_instance(session, name))

    async def show_timeline(self, call: Call) -> Response:
        """Shows the events of a session and what they did."""
        uid, after, limit = call.name("uid"), call.query(AFTER), call.query(EVENT_LIMIT)
        return json_response(await self._services.blocking.run(self._timeline, uid, after, limit))

    async def explain_session(self, call: Call) -> Response:
        """Explains a session or one of its tasks."""
        uid, moment, task = call.name("uid"), call.query(AT), call.query(TASK)
        return json_response(await self._services.blocking.run(self._explanation, uid, moment, task))

    def _view_at(self, uid: str, moment: Moment) -> SessionView:
        return view_at(uid, self._services.events.read_session(uid), moment)

    def _timeline(self, uid: str, after: int, limit: int) -> Timeline:
        return timeline_of(uid, self._services.events.read_session(uid), after, limit)

    def _explanation(self, uid: str, moment: Moment, task: str) -> Explanation:
        return explain(uid, list(until(self._services.events.read_session(uid), moment)), task or None)


_MISSING: Final = (
    Kind.SESSION_NOT_FOUND,
    Kind.TASK_NOT_FOUND,
    Kind.INSTANCE_NOT_FOUND,
    Kind.EVENTS_EXPIRED,
    Kind.UNAVAILABLE,
    Kind.OVERLOADED,
)


def _read(
    path: str,
    handler: Handler,
    summary: str,
    answer: DocumentedResponse,
    *,
    parameters: tuple[Parameter, ...] = (UID,),
    query: tuple[QueryParameter[Any], ...] = (),
) -> Operation:
    return Operation(
        method="GET",
        path=path,
        handler=handler,
        scope=Scope.READ,
        tag="sessions",
        summary=summary,
        parameters=parameters,
        query=query,
        responses={200: answer},
        problems=_MISSING,
    )
