"""The HTTP API: what the pages show, as JSON. docs/console.md has its list."""

from __future__ import annotations

import asyncio

from aiohttp import web

from triggers.analysis.capsules import decode_capsule, file_name, replay_capsule
from triggers.analysis.graph.causes import SessionCauses
from triggers.analysis.graph.dot import dot
from triggers.analysis.graph.mermaid import mermaid
from triggers.analysis.graph.picture import Picture
from triggers.analysis.graph.svg import svg
from triggers.analysis.time_travel import Moment
from triggers.console.answers import as_json, as_svg
from triggers.console.asked import (
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
from triggers.errors import CallError

MOST_LISTED = 1_000


class Api:
    """Handlers. Each question is answered in a thread of its own."""

    def __init__(self, questions: Questions, whole_log: asyncio.Lock) -> None:
        """`whole_log`: held while a question reads every event there is, so that such do not take all threads."""
        self._ask = questions
        self._whole_log = whole_log

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/ready", self.ready),
            web.get("/api/sessions", self.sessions),
            web.get("/api/sessions/{uid}", self.session),
            web.get("/api/sessions/{uid}/explanation", self.explanation),
            web.get("/api/sessions/{uid}/changes", self.changes),
            web.get("/api/sessions/{uid}/causes", self.causes),
            web.get("/api/sessions/{uid}/graph", self.graph),
            web.get("/api/sessions/{uid}/capsule", self.capsule),
            web.get("/api/statistics", self.statistics),
            web.post("/api/check", self.check),
            web.post("/api/graph", self.rules_graph),
            web.post("/api/backtest", self.backtest),
            web.post("/api/verify", self.verify),
        ]

    async def ready(self, request: web.Request) -> web.Response:  # noqa: ARG002  # aiohttp's signature
        """The console answers; whether workers do, is theirs to say."""
        return as_json({})

    async def sessions(self, request: web.Request) -> web.Response:
        """`?prefix=&limit=`: headers of sessions, by UID."""
        given = query_of(request)
        limit = number_of(given, "limit", 100, MOST_LISTED) or MOST_LISTED
        found = await asyncio.to_thread(self._ask.summaries, text_of(given, "prefix"), limit)
        return as_json({"sessions": found})

    async def session(self, request: web.Request) -> web.Response:
        """`?at=`: the session."""
        return as_json(await asyncio.to_thread(self._ask.view, uid_of(request), moment_of(query_of(request))))

    async def explanation(self, request: web.Request) -> web.Response:
        """`?at=&task=`: `schemas/explanation.schema.json`."""
        given = query_of(request)
        asked = uid_of(request), moment_of(given), text_of(given, "task") or None
        return as_json(await asyncio.to_thread(self._ask.explanation, *asked))

    async def changes(self, request: web.Request) -> web.Response:
        """`?from=&to=`: places of the session with their values before and after."""
        given = query_of(request)
        asked = uid_of(request), needed_moment(given, "from"), moment_of(given, "to")
        return as_json({"changes": await asyncio.to_thread(self._ask.changes, *asked)})

    async def causes(self, request: web.Request) -> web.Response:
        """`?at=&instance=`: the causes of each instance, and the events that led to it across all cascades."""
        asked = _instance_asked(request)
        found = await asyncio.to_thread(self._ask.causes, *asked)
        return as_json(SessionCauses(session=uid_of(request), instances=found))

    async def graph(self, request: web.Request) -> web.Response:
        """`?at=&instance=&format=svg|mermaid|dot`: the causes as a picture."""
        return await _drawn(request, await asyncio.to_thread(self._ask.picture, *_instance_asked(request)))

    async def capsule(self, request: web.Request) -> web.Response:
        """`?mask=` as often as needed: the session in a file."""
        uid, masked = uid_of(request), lines_of(query_of(request), "mask")
        body = await asyncio.to_thread(self._ask.capsule, uid, masked)
        headers = {"Content-Disposition": f'attachment; filename="{file_name(uid)}"'}
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def statistics(self, request: web.Request) -> web.Response:
        """`?since=&until=&stuck_after=`: rules, triggers and stuck sessions, counted over the whole log."""
        given = query_of(request)
        period = point_of(given, "since"), point_of(given, "until"), stuck_after(given)
        async with self._whole_log:
            return as_json(await asyncio.to_thread(self._ask.statistics, *period))

    async def check(self, request: web.Request) -> web.Response:
        """Rules -> findings. `?trigger=` as often as needed: all that the application fires; `&event=&results=`."""
        given, rules = query_of(request), await request.read()
        return as_json(await asyncio.to_thread(check, rules, lines_of(given, "trigger"), arrivals_of(given)))

    async def rules_graph(self, request: web.Request) -> web.Response:
        """Rules -> `?format=svg|mermaid|dot`."""
        return await _drawn(request, await asyncio.to_thread(picture_of, await request.read()))

    async def backtest(self, request: web.Request) -> web.Response:
        """Rules -> what they would have done. `?since=&sample=&add=&reuse=`, and `stub=` as often as needed."""
        trial = trial_of(query_of(request), await request.read())
        async with self._whole_log:
            return as_json(await asyncio.to_thread(self._ask.backtest, trial))

    async def verify(self, request: web.Request) -> web.Response:
        """A capsule -> what is different when it is replayed, and the session it comes to."""
        capsule = decode_capsule(await request.read(), "the capsule")
        found = await asyncio.to_thread(replay_capsule, capsule)
        return as_json({"session": capsule.session, "differences": found.differences, "view": found.view})


def _instance_asked(request: web.Request) -> tuple[str, Moment, str | None]:
    given = query_of(request)
    return uid_of(request), moment_of(given), text_of(given, "instance") or None


async def _drawn(request: web.Request, picture: Picture) -> web.Response:
    match text_of(query_of(request), "format") or "svg":
        case "svg":
            return as_svg(await asyncio.to_thread(svg, picture))
        case "mermaid":
            return web.Response(text=mermaid(picture), content_type="text/plain")
        case "dot":
            return web.Response(text=dot(picture), content_type="text/vnd.graphviz")
        case other:
            raise CallError(f"format is {other!r}, it must be svg, mermaid or dot")
