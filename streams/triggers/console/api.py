"""The HTTP API: what the pages show, as JSON. docs/console.md has its list."""

from __future__ import annotations

import asyncio

from aiohttp import web

from triggers.analysis.capsules import decode_capsule, replay_capsule
from triggers.analysis.graph.dot import dot
from triggers.analysis.graph.mermaid import mermaid
from triggers.analysis.graph.picture import Picture
from triggers.analysis.graph.svg import svg
from triggers.console.answers import as_json, as_svg
from triggers.console.asked import (
    flag_of,
    moment_of,
    needed_moment,
    number_of,
    point_of,
    stuck_after,
    uid_of,
)
from triggers.console.questions import Questions, Trial, check, picture_of
from triggers.errors import CallError

MOST_LISTED = 1_000
MOST_SAMPLED = 1_000_000


class Api:
    """Handlers. Each question is answered in a thread of its own."""

    def __init__(self, questions: Questions) -> None:
        self._ask = questions

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
        limit = number_of(request, "limit", 100, MOST_LISTED) or MOST_LISTED
        found = await asyncio.to_thread(self._ask.summaries, request.query.get("prefix", ""), limit)
        return as_json({"sessions": found})

    async def session(self, request: web.Request) -> web.Response:
        """`?at=`: the session."""
        return as_json(await asyncio.to_thread(self._ask.view, uid_of(request), moment_of(request)))

    async def explanation(self, request: web.Request) -> web.Response:
        """`?at=&task=`: `schemas/explanation.schema.json`."""
        task = request.query.get("task") or None
        return as_json(await asyncio.to_thread(self._ask.explanation, uid_of(request), moment_of(request), task))

    async def changes(self, request: web.Request) -> web.Response:
        """`?from=&to=`: places of the session with their values before and after."""
        before, after = needed_moment(request, "from"), moment_of(request, "to")
        found = await asyncio.to_thread(self._ask.changes, uid_of(request), before, after)
        return as_json({"changes": found})

    async def causes(self, request: web.Request) -> web.Response:
        """`?at=&instance=`: the causes of each instance, and the events that led to it across all cascades."""
        instance = request.query.get("instance") or None
        found = await asyncio.to_thread(self._ask.causes, uid_of(request), moment_of(request), instance)
        return as_json({"session": uid_of(request), "instances": found})

    async def graph(self, request: web.Request) -> web.Response:
        """`?at=&format=svg|mermaid|dot`: the causes as a picture."""
        found = await asyncio.to_thread(self._ask.picture, uid_of(request), moment_of(request))
        return await _drawn(request, found)

    async def capsule(self, request: web.Request) -> web.Response:
        """`?mask=` as often as needed: the session in a file."""
        masked = request.query.getall("mask", [])
        body = await asyncio.to_thread(self._ask.capsule, uid_of(request), masked)
        headers = {"Content-Disposition": 'attachment; filename="session.capsule.json"'}
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def statistics(self, request: web.Request) -> web.Response:
        """`?since=&until=&stuck_after=`: rules, triggers and stuck sessions, counted over the whole log."""
        period = point_of(request, "since"), point_of(request, "until"), stuck_after(request)
        return as_json(await asyncio.to_thread(self._ask.statistics, *period))

    async def check(self, request: web.Request) -> web.Response:
        """Rules -> findings. `?trigger=` as often as needed: all that the application fires."""
        rules = await request.read()
        return as_json(await asyncio.to_thread(check, rules, request.query.getall("trigger", [])))

    async def rules_graph(self, request: web.Request) -> web.Response:
        """Rules -> `?format=svg|mermaid|dot`."""
        return await _drawn(request, await asyncio.to_thread(picture_of, await request.read()))

    async def backtest(self, request: web.Request) -> web.Response:
        """Rules -> what they would have done. `?since=&sample=&add=&reuse=`."""
        trial = Trial(
            rules=await request.read(),
            added=flag_of(request, "add"),
            since=point_of(request, "since"),
            sample=number_of(request, "sample", None, MOST_SAMPLED),
            reuse=flag_of(request, "reuse"),
        )
        return as_json(await asyncio.to_thread(self._ask.backtest, trial))

    async def verify(self, request: web.Request) -> web.Response:
        """A capsule -> what is different when it is replayed, and the session it comes to."""
        capsule = decode_capsule(await request.read(), "the capsule")
        found = await asyncio.to_thread(replay_capsule, capsule)
        return as_json({"session": capsule.session, "differences": found.differences, "view": found.view})


async def _drawn(request: web.Request, picture: Picture) -> web.Response:
    match request.query.get("format", "svg"):
        case "svg":
            return as_svg(await asyncio.to_thread(svg, picture))
        case "mermaid":
            return web.Response(text=mermaid(picture), content_type="text/plain")
        case "dot":
            return web.Response(text=dot(picture), content_type="text/vnd.graphviz")
        case other:
            raise CallError(f"format is {other!r}, it must be svg, mermaid or dot")
