"""The pages about sessions, rules and capsules. The server renders them.

They work without scripts; a script only makes the slider smooth.
"""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from triggers.analysis.check.order_findings import explored_words
from triggers.analysis.graph.svg import svg
from triggers.analysis.verify.capsules import Capsule, Replayed, decode_capsule, events_of_capsule, replay_capsule
from triggers.console.forms import ParameterValues
from triggers.console.gate import PageRoute
from triggers.console.parameters import (
    arrivals_of,
    backtest_request_of,
    lines_of,
    moment_of,
    needed_text,
    parsed,
    point_of,
    stuck_after,
    text_of,
)
from triggers.console.questions import Questions, check, picture_of
from triggers.console.rendering import Renderer
from triggers.console.session_page import SessionPage, session_page
from triggers.console.visit import Visit
from triggers.errors import CallError

_FIRST_BACKTEST = {"since": ["30d"], "sample": ["1000"]}
_FIRST_COUNT = {"since": ["7d"], "stuck_after": ["1d"]}


class Pages:
    """Handlers of the pages. Each computes its page in a thread, so that none blocks the others."""

    def __init__(self, questions: Questions, whole_log: asyncio.Lock, renderer: Renderer) -> None:
        """`whole_log` is the lock that `Api` holds, too, while it reads all events."""
        self._ask = questions
        self._whole_log = whole_log
        self._renderer = renderer

    def routes(self) -> list[PageRoute]:
        """Return the routes of all handlers."""
        return [
            PageRoute("GET", "/sessions/{uid}", self.session),
            PageRoute("GET", "/rules", self.rules),
            PageRoute("POST", "/rules", self.check_rules),
            PageRoute("GET", "/statistics", self.statistics),
            PageRoute("GET", "/backtest", self.backtest),
            PageRoute("POST", "/backtest", self.run_backtest),
            PageRoute("GET", "/capsule", self.capsule),
            PageRoute("POST", "/capsule", self.open_capsule),
        ]

    async def session(self, visit: Visit) -> Response:
        """Show and explain a session after one of its events, and its changes since a moment: `?at=&from=`."""
        query = visit.query
        page = await asyncio.to_thread(self._session, visit.name("uid"), query)
        values = {
            "page": page,
            "since": text_of(query, "from"),
            "done": parsed(query, "done", int, None),
        }
        return self._renderer.page(visit, "session.html", values)

    def _session(self, uid: str, query: ParameterValues) -> SessionPage:
        at = moment_of(query)
        since = moment_of(query, "from") if text_of(query, "from") else None
        return session_page(uid, self._ask.log(uid, at), at, since)

    async def rules(self, visit: Visit) -> Response:
        """Show the form for rules."""
        return self._renderer.page(visit, "rules.html", {"given": {}, "checked": None, "explored": "", "picture": None})

    async def check_rules(self, visit: Visit) -> Response:
        """Check the rules of the form; show the findings and, if there is no error, a picture."""
        given = visit.form
        rules, declared, arrivals = needed_text(given, "rules").encode(), lines_of(given, "trigger"), arrivals_of(given)
        checked = await asyncio.to_thread(check, rules, declared, arrivals)
        broken = any(finding.severity == "error" for finding in checked.findings)
        picture = None if broken else await asyncio.to_thread(lambda: svg(picture_of(rules)))
        values = {"given": given, "checked": checked, "explored": explored_words(checked.orders), "picture": picture}
        return self._renderer.page(visit, "rules.html", values)

    async def statistics(self, visit: Visit) -> Response:
        """Show the form for statistics; with `?since=`, which may be `all`, count and show the tables."""
        query = visit.query
        if not text_of(query, "since"):
            return self._renderer.page(visit, "statistics.html", {"found": None, "given": _FIRST_COUNT})
        since = None if text_of(query, "since") == "all" else point_of(query, "since")
        period = since, point_of(query, "until"), stuck_after(query)
        async with self._whole_log:
            statistics = await asyncio.to_thread(self._ask.statistics, *period)
        return self._renderer.page(visit, "statistics.html", {"found": statistics, "given": query})

    async def backtest(self, visit: Visit) -> Response:
        """Show the form for a back-test."""
        return self._renderer.page(visit, "backtest.html", {"report": None, "given": _FIRST_BACKTEST})

    async def run_backtest(self, visit: Visit) -> Response:
        """Run the back-test of the form and show its report."""
        given = visit.form
        request = backtest_request_of(given, needed_text(given, "rules").encode())
        async with self._whole_log:
            report = await asyncio.to_thread(self._ask.backtest, request)
        return self._renderer.page(visit, "backtest.html", {"report": report, "given": given})

    async def capsule(self, visit: Visit) -> Response:
        """Show the form for a capsule."""
        return self._renderer.page(visit, "capsule.html", {"capsule": None, "replayed": None, "page": None})

    async def open_capsule(self, visit: Visit) -> Response:
        """Replay the uploaded capsule; show its timeline and the differences."""
        upload = visit.files.get("capsule")
        if upload is None or not upload.name:
            raise CallError("capsule is missing: choose the file that `triggers capture` wrote")
        capsule, replayed, page = await asyncio.to_thread(_opened, upload.content, upload.name)
        return self._renderer.page(visit, "capsule.html", {"capsule": capsule, "replayed": replayed, "page": page})


def _opened(body: bytes, name: str) -> tuple[Capsule, Replayed, SessionPage]:
    capsule = decode_capsule(body, name)
    events = [event for _, event in events_of_capsule(capsule)]
    return capsule, replay_capsule(capsule), session_page(capsule.session, events)
