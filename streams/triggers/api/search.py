"""Finds sessions of all partitions by what is wrong with them, and counts instances and failures."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from triggers.api.call import Call
from triggers.api.identity import Scope
from triggers.api.operations import DocumentedResponse, Handler, Operation
from triggers.api.parameters import QueryParameter, integer, optional_integer, optional_text, text
from triggers.api.problems import Kind
from triggers.api.services import Services, json_response
from triggers.client.session_search import MAX_LIMIT
from triggers.queries import FailureGroups, Page, SessionQuery, StatusCounts
from triggers.queries.known_statuses import check_status

_MAX_TIME: Final = 253_402_300_799_999
_TASK: Final = optional_text(
    "task", "There is an instance of this task, to which `status`, `exception` and `message` apply.", "t_ship"
)
FILTERS: Final[tuple[QueryParameter[Any], ...]] = (
    text("prefix", "The UID starts with this.", "order-"),
    optional_text(
        "status",
        "An instance has this status now. One that the framework does not know and no instance has is refused.",
        "failed",
    ),
    _TASK,
    optional_text("exception", "Class of a failed instance's exception, with or without its module.", "ValueError"),
    optional_text("message", "Part of the text of a failed instance's exception.", "card 17"),
    optional_text("seen", "This trigger has been fired.", "orderPaid"),
    optional_text("missing", "A task that is not resolved waits for this trigger.", "packed"),
    optional_text("rules", "The session has published rules of this name.", "orders"),
    optional_integer("version", "The session has this version of them.", minimum=1, maximum=2**31 - 1),
    *(
        optional_integer(name, words + ", in milliseconds since 1970-01-01 UTC.", minimum=0, maximum=_MAX_TIME)
        for name, words in (
            ("created_since", "The session began then or later"),
            ("created_until", "The session began then or earlier"),
            ("changed_since", "The session last changed then or later"),
            ("changed_until", "The session last changed then or earlier"),
        )
    ),
    optional_integer(
        "stuck_ms",
        "It is unresolved, and nothing has happened for this many milliseconds, or it waits for a failed instance.",
        minimum=0,
        maximum=_MAX_TIME,
    ),
)
"""The fields of `SessionQuery`, by their names."""
LIMIT: Final = integer("limit", "Maximum number of sessions.", default=50, minimum=1, maximum=MAX_LIMIT)
CURSOR: Final = optional_text("cursor", "`cursor` of the previous page.", "b3JkZXItMTc")


class Search:
    """The operations that ask all workers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """Returns the operations of this class."""
        return [
            _read(
                "/v1/sessions",
                self.find_sessions,
                "Find sessions, in the order of their UIDs. All parameters must hold.",
                DocumentedResponse("Some of the sessions that match.", Page),
                query=(*FILTERS, LIMIT, CURSOR),
                description="A page may be short, or empty, and still have a `cursor`, because each request"
                " examines a limited number of rows. `missing` names partitions that are moving to another worker and"
                " whose sessions the page lacks.",
            ),
            _read(
                "/v1/counts",
                self.count_statuses,
                "Count the instances of all sessions by task and status.",
                DocumentedResponse("The counts.", StatusCounts),
            ),
            _read(
                "/v1/failures",
                self.group_failures,
                "Group the instances that are failed now by task, exception and message.",
                DocumentedResponse("The groups, the largest first.", FailureGroups),
                query=(_TASK,),
            ),
        ]

    async def find_sessions(self, call: Call) -> Response:
        """Finds sessions."""
        values = {parameter.name: call.query(parameter) for parameter in FILTERS}
        query = msgspec.convert(values, SessionQuery)
        limit, cursor = call.query(LIMIT), call.query(CURSOR)
        return json_response(await self._services.blocking.run(self._find, query, limit, cursor))

    async def count_statuses(self, _: Call) -> Response:
        """Counts instances by task and status."""
        return json_response(await self._services.blocking.run(self._services.search.count_statuses))

    async def group_failures(self, call: Call) -> Response:
        """Groups failed instances."""
        task = call.query(_TASK)
        return json_response(await self._services.blocking.run(self._services.search.group_failures, task))

    def _find(self, query: SessionQuery, limit: int, cursor: str | None) -> Page:
        page = self._services.search.find(query, limit=limit, cursor=cursor)
        if page.is_empty:
            check_status(query.status, self._services.search.count_statuses)
        return page


def _read(
    path: str,
    handler: Handler,
    summary: str,
    answer: DocumentedResponse,
    *,
    query: tuple[QueryParameter[Any], ...] = (),
    description: str = "",
) -> Operation:
    return Operation(
        method="GET",
        path=path,
        handler=handler,
        scope=Scope.READ,
        tag="sessions",
        summary=summary,
        description=description,
        query=query,
        responses={200: answer},
        problems=(Kind.UNAVAILABLE, Kind.OVERLOADED),
    )
