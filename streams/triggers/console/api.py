"""The JSON endpoints, which return what the pages show. docs/console.md lists them. `triggers.api` is another API."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from triggers.analysis.graph.causes import SessionCauses
from triggers.analysis.graph.dot import dot
from triggers.analysis.graph.mermaid import mermaid
from triggers.analysis.graph.picture import Picture
from triggers.analysis.graph.svg import svg
from triggers.analysis.time_travel import Moment
from triggers.analysis.verify.capsules import decode_capsule, file_name, replay_capsule
from triggers.console.gate import PageRoute
from triggers.console.parameters import (
    arrivals_of,
    backtest_request_of,
    lines_of,
    moment_of,
    needed_moment,
    number_of,
    point_of,
    stuck_after,
    text_of,
)
from triggers.console.questions import Questions, check, picture_of
from triggers.console.responses import as_json, as_svg
from triggers.console.visit import Visit
from triggers.errors import CallError

MAX_LISTED = 1_000


class Api:
    """Handlers of the JSON endpoints. Each computes its response in a thread, so that none blocks the others."""

    def __init__(self, questions: Questions, whole_log: asyncio.Lock) -> None:
        """`whole_log` is held while a handler reads all events, so that such requests never occupy all threads."""
        self._ask = questions
        self._whole_log = whole_log

    def routes(self) -> list[PageRoute]:
        """Return the routes of all handlers."""
        return [
            PageRoute("GET", "/ready", self.ready, None),
            PageRoute("GET", "/api/sessions", self.sessions),
            PageRoute("GET", "/api/sessions/{uid}", self.session),
            PageRoute("GET", "/api/sessions/{uid}/explanation", self.explanation),
            PageRoute("GET", "/api/sessions/{uid}/changes", self.changes),
            PageRoute("GET", "/api/sessions/{uid}/causes", self.causes),
            PageRoute("GET", "/api/sessions/{uid}/graph", self.graph),
            PageRoute("GET", "/api/sessions/{uid}/rules-graph", self.rules_of_session),
            PageRoute("GET", "/api/sessions/{uid}/capsule", self.capsule),
            PageRoute("GET", "/api/statistics", self.statistics),
            PageRoute("POST", "/api/check", self.check),
            PageRoute("POST", "/api/graph", self.rules_graph),
            PageRoute("POST", "/api/backtest", self.backtest),
            PageRoute("POST", "/api/verify", self.verify),
        ]

    async def ready(self, _: Visit) -> Response:
        """Report that the console itself is live. It does not check the workers."""
        return as_json({})

    async def sessions(self, visit: Visit) -> Response:
        """Return the summaries of sessions by UID: `?prefix=&limit=`."""
        query = visit.query
        limit = number_of(query, "limit", 100, MAX_LISTED) or MAX_LISTED
        summaries = await asyncio.to_thread(self._ask.summaries, text_of(query, "prefix"), limit)
        return as_json({"sessions": summaries})

    async def session(self, visit: Visit) -> Response:
        """Return the session at a moment: `?at=`."""
        return as_json(await asyncio.to_thread(self._ask.view, visit.name("uid"), moment_of(visit.query)))

    async def explanation(self, visit: Visit) -> Response:
        """Return the explanation of a session or of one task (`schemas/explanation.schema.json`): `?at=&task=`."""
        query = visit.query
        arguments = visit.name("uid"), moment_of(query), text_of(query, "task") or None
        return as_json(await asyncio.to_thread(self._ask.explanation, *arguments))

    async def changes(self, visit: Visit) -> Response:
        """Return each changed value of the session with its values before and after: `?from=&to=`."""
        query = visit.query
        arguments = visit.name("uid"), needed_moment(query, "from"), moment_of(query, "to")
        return as_json({"changes": await asyncio.to_thread(self._ask.changes, *arguments)})

    async def causes(self, visit: Visit) -> Response:
        """Return the causes of each instance with the events that led to it across all cascades: `?at=&instance=`."""
        instances = await asyncio.to_thread(self._ask.causes, *_instance_or_none(visit))
        return as_json(SessionCauses(session=visit.name("uid"), instances=instances))

    async def graph(self, visit: Visit) -> Response:
        """Return the causes as a picture: `?at=&instance=&format=svg|mermaid|dot`."""
        return await _drawn(visit, await asyncio.to_thread(self._ask.picture, *_instance_or_none(visit)))

    async def rules_of_session(self, visit: Visit) -> Response:
        """Draw the session's rules, with what has fired and what is missing: `?at=&format=svg|mermaid|dot`."""
        arguments = visit.name("uid"), moment_of(visit.query)
        return await _drawn(visit, await asyncio.to_thread(self._ask.rules_picture, *arguments))

    async def capsule(self, visit: Visit) -> Response:
        """Return the session as a capsule: `?mask=`, repeatable."""
        uid, masked = visit.name("uid"), lines_of(visit.query, "mask")
        body = await asyncio.to_thread(self._ask.capsule, uid, masked)
        headers = {"Content-Disposition": f'attachment; filename="{file_name(uid)}"'}
        return Response(body, media_type="application/json", headers=headers)

    async def statistics(self, visit: Visit) -> Response:
        """Count rules, triggers and stuck sessions over the whole log: `?since=&until=&stuck_after=`."""
        query = visit.query
        period = point_of(query, "since"), point_of(query, "until"), stuck_after(query)
        async with self._whole_log:
            return as_json(await asyncio.to_thread(self._ask.statistics, *period))

    async def check(self, visit: Visit) -> Response:
        """Check the rules in the body and return the findings: `?trigger=&event=&results=`.

        `trigger` and `event` are repeatable; `trigger` names all triggers that the application fires.
        """
        query, rules = visit.query, visit.body
        return as_json(await asyncio.to_thread(check, rules, lines_of(query, "trigger"), arrivals_of(query)))

    async def rules_graph(self, visit: Visit) -> Response:
        """Draw the rules in the body: `?format=svg|mermaid|dot`."""
        return await _drawn(visit, await asyncio.to_thread(picture_of, visit.body))

    async def backtest(self, visit: Visit) -> Response:
        """Back-test the rules in the body: `?since=&sample=&add=&reuse=&stub=`; `stub` is repeatable."""
        request = backtest_request_of(visit.query, visit.body)
        async with self._whole_log:
            return as_json(await asyncio.to_thread(self._ask.backtest, request))

    async def verify(self, visit: Visit) -> Response:
        """Replay the capsule in the body and return the differences and the final session."""
        capsule = decode_capsule(visit.body, "the capsule")
        replayed = await asyncio.to_thread(replay_capsule, capsule)
        return as_json({"session": capsule.session, "differences": replayed.differences, "view": replayed.view})


def _instance_or_none(visit: Visit) -> tuple[str, Moment, str | None]:
    query = visit.query
    return visit.name("uid"), moment_of(query), text_of(query, "instance") or None


async def _drawn(visit: Visit, picture: Picture) -> Response:
    match text_of(visit.query, "format") or "svg":
        case "svg":
            return as_svg(await asyncio.to_thread(svg, picture))
        case "mermaid":
            return Response(mermaid(picture), media_type="text/plain")
        case "dot":
            return Response(dot(picture), media_type="text/vnd.graphviz")
        case other:
            raise CallError(f"format is {other!r}; it must be svg, mermaid or dot")
