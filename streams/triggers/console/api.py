"""The HTTP API, which returns as JSON what the pages show. docs/console.md lists its endpoints."""

from __future__ import annotations

import asyncio

from aiohttp import web

from triggers.analysis.graph.causes import SessionCauses
from triggers.analysis.graph.dot import dot
from triggers.analysis.graph.mermaid import mermaid
from triggers.analysis.graph.picture import Picture
from triggers.analysis.graph.svg import svg
from triggers.analysis.time_travel import Moment
from triggers.analysis.verify.capsules import decode_capsule, file_name, replay_capsule
from triggers.console.parameters import (
    arrivals_of,
    lines_of,
    moment_of,
    needed_moment,
    number_of,
    point_of,
    query_of,
    stuck_after,
    text_of,
    trial_of,
    uid_of,
)
from triggers.console.questions import Questions, check, picture_of
from triggers.console.responses import as_json, as_svg
from triggers.errors import CallError

MAX_LISTED = 1_000


class Api:
    """Handlers of the API. Each computes its response in a thread, so that none blocks the others."""

    def __init__(self, questions: Questions, whole_log: asyncio.Lock) -> None:
        """`whole_log` is held while a handler reads all events, so that such requests never occupy all threads."""
        self._ask = questions
        self._whole_log = whole_log

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all handlers."""
        return [
            web.get("/ready", self.ready),
            web.get("/api/sessions", self.sessions),
            web.get("/api/sessions/{uid:[^/]+}", self.session),
            web.get("/api/sessions/{uid:[^/]+}/explanation", self.explanation),
            web.get("/api/sessions/{uid:[^/]+}/changes", self.changes),
            web.get("/api/sessions/{uid:[^/]+}/causes", self.causes),
            web.get("/api/sessions/{uid:[^/]+}/graph", self.graph),
            web.get("/api/sessions/{uid:[^/]+}/capsule", self.capsule),
            web.get("/api/statistics", self.statistics),
            web.post("/api/check", self.check),
            web.post("/api/graph", self.rules_graph),
            web.post("/api/backtest", self.backtest),
            web.post("/api/verify", self.verify),
        ]

    async def ready(self, _: web.Request) -> web.Response:
        """Report that the console itself is live. It does not check the workers."""
        return as_json({})

    async def sessions(self, request: web.Request) -> web.Response:
        """Return the summaries of sessions by UID: `?prefix=&limit=`."""
        query = query_of(request)
        limit = number_of(query, "limit", 100, MAX_LISTED) or MAX_LISTED
        summaries = await asyncio.to_thread(self._ask.summaries, text_of(query, "prefix"), limit)
        return as_json({"sessions": summaries})

    async def session(self, request: web.Request) -> web.Response:
        """Return the session at a moment: `?at=`."""
        return as_json(await asyncio.to_thread(self._ask.view, uid_of(request), moment_of(query_of(request))))

    async def explanation(self, request: web.Request) -> web.Response:
        """Return the explanation of a session or of one task (`schemas/explanation.schema.json`): `?at=&task=`."""
        query = query_of(request)
        arguments = uid_of(request), moment_of(query), text_of(query, "task") or None
        return as_json(await asyncio.to_thread(self._ask.explanation, *arguments))

    async def changes(self, request: web.Request) -> web.Response:
        """Return each changed value of the session with its values before and after: `?from=&to=`."""
        query = query_of(request)
        arguments = uid_of(request), needed_moment(query, "from"), moment_of(query, "to")
        return as_json({"changes": await asyncio.to_thread(self._ask.changes, *arguments)})

    async def causes(self, request: web.Request) -> web.Response:
        """Return the causes of each instance with the events that led to it across all cascades: `?at=&instance=`."""
        instances = await asyncio.to_thread(self._ask.causes, *_instance_or_none(request))
        return as_json(SessionCauses(session=uid_of(request), instances=instances))

    async def graph(self, request: web.Request) -> web.Response:
        """Return the causes as a picture: `?at=&instance=&format=svg|mermaid|dot`."""
        return await _drawn(request, await asyncio.to_thread(self._ask.picture, *_instance_or_none(request)))

    async def capsule(self, request: web.Request) -> web.Response:
        """Return the session as a capsule: `?mask=`, repeatable."""
        uid, masked = uid_of(request), lines_of(query_of(request), "mask")
        body = await asyncio.to_thread(self._ask.capsule, uid, masked)
        headers = {"Content-Disposition": f'attachment; filename="{file_name(uid)}"'}
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def statistics(self, request: web.Request) -> web.Response:
        """Count rules, triggers and stuck sessions over the whole log: `?since=&until=&stuck_after=`."""
        query = query_of(request)
        period = point_of(query, "since"), point_of(query, "until"), stuck_after(query)
        async with self._whole_log:
            return as_json(await asyncio.to_thread(self._ask.statistics, *period))

    async def check(self, request: web.Request) -> web.Response:
        """Check the rules in the body and return the findings: `?trigger=&event=&results=`.

        `trigger` and `event` are repeatable; `trigger` names all triggers that the application fires.
        """
        query, rules = query_of(request), await request.read()
        return as_json(await asyncio.to_thread(check, rules, lines_of(query, "trigger"), arrivals_of(query)))

    async def rules_graph(self, request: web.Request) -> web.Response:
        """Draw the rules in the body: `?format=svg|mermaid|dot`."""
        return await _drawn(request, await asyncio.to_thread(picture_of, await request.read()))

    async def backtest(self, request: web.Request) -> web.Response:
        """Back-test the rules in the body: `?since=&sample=&add=&reuse=&stub=`; `stub` is repeatable."""
        trial = trial_of(query_of(request), await request.read())
        async with self._whole_log:
            return as_json(await asyncio.to_thread(self._ask.backtest, trial))

    async def verify(self, request: web.Request) -> web.Response:
        """Replay the capsule in the body and return the differences and the final session."""
        capsule = decode_capsule(await request.read(), "the capsule")
        replayed = await asyncio.to_thread(replay_capsule, capsule)
        return as_json({"session": capsule.session, "differences": replayed.differences, "view": replayed.view})


def _instance_or_none(request: web.Request) -> tuple[str, Moment, str | None]:
    query = query_of(request)
    return uid_of(request), moment_of(query), text_of(query, "instance") or None


async def _drawn(request: web.Request, picture: Picture) -> web.Response:
    match text_of(query_of(request), "format") or "svg":
        case "svg":
            return as_svg(await asyncio.to_thread(svg, picture))
        case "mermaid":
            return web.Response(text=mermaid(picture), content_type="text/plain")
        case "dot":
            return web.Response(text=dot(picture), content_type="text/vnd.graphviz")
        case other:
            raise CallError(f"format is {other!r}; it must be svg, mermaid or dot")
