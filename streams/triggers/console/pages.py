"""The pages. They are made on the server and work without scripts; a script makes the slider smooth."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from triggers.analysis.capsules import Capsule, Replayed, decode_capsule, events_of_capsule, replay_capsule
from triggers.analysis.graph.svg import svg
from triggers.analysis.times import length_of_time, moment, point_in_time
from triggers.console.api import MOST_LISTED, MOST_SAMPLED
from triggers.console.asked import moment_of, number_of, point_of, stuck_after, uid_of
from triggers.console.questions import Questions, Trial, check, picture_of
from triggers.console.session_page import SessionPage, session_page
from triggers.errors import CallError

_SIGNS = {"added": "+", "removed": "-"}
_LISTED = 100
_FIRST_TRIAL = {"rules": "", "since": "30d", "sample": "1000", "added": False, "reuse": False}


def environment() -> Environment:
    """Templates; what comes from users is escaped, and a name that is not there is an error."""
    found = Environment(
        loader=PackageLoader("triggers.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    found.globals["signs"] = _SIGNS
    found.filters.update(moment=moment, as_json=_as_json, short=_short, length_of_time=length_of_time, in_path=_in_path)
    return found


class Pages:
    """Handlers. Each question is answered in a thread of its own."""

    def __init__(self, questions: Questions, templates: Environment) -> None:
        self._ask = questions
        self._templates = templates

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/", self.sessions),
            web.get("/sessions/{uid}", self.session),
            web.get("/rules", self.rules),
            web.post("/rules", self.check_rules),
            web.get("/statistics", self.statistics),
            web.get("/backtest", self.backtest),
            web.post("/backtest", self.run_backtest),
            web.get("/capsule", self.capsule),
            web.post("/capsule", self.open_capsule),
        ]

    async def sessions(self, request: web.Request) -> web.Response:
        """`?prefix=&limit=`: sessions by UID."""
        prefix = request.query.get("prefix", "")
        limit = number_of(request, "limit", _LISTED, MOST_LISTED) or _LISTED
        found = await asyncio.to_thread(self._ask.summaries, prefix, limit)
        return self._page("sessions.html", {"sessions": found, "prefix": prefix, "limit": limit})

    async def session(self, request: web.Request) -> web.Response:
        """`?at=`: the session after one of its events, and why it is as it is."""
        page = await asyncio.to_thread(self._session, uid_of(request), request)
        return self._page("session.html", {"page": page})

    def _session(self, uid: str, request: web.Request) -> SessionPage:
        moment = moment_of(request)
        return session_page(uid, self._ask.log(uid, moment), moment)

    async def rules(self, request: web.Request) -> web.Response:  # noqa: ARG002  # aiohttp's signature
        """A form."""
        return self._page("rules.html", {"rules": "", "checked": None, "picture": None})

    async def check_rules(self, request: web.Request) -> web.Response:
        """Findings and a picture."""
        text = await _text(request, "rules")
        checked = await asyncio.to_thread(check, text.encode(), ())
        broken = any(finding.severity == "error" for finding in checked.findings)
        picture = None if broken else await asyncio.to_thread(lambda: svg(picture_of(text.encode())))
        return self._page("rules.html", {"rules": text, "checked": checked, "picture": picture})

    async def statistics(self, request: web.Request) -> web.Response:
        """A form; with `?since=`, which may be `all`, the tables."""
        since = request.query.get("since", "")
        if not since:
            return self._page("statistics.html", {"found": None, "since": "7d"})
        period = None if since == "all" else point_of(request, "since")
        found = await asyncio.to_thread(self._ask.statistics, period, point_of(request, "until"), stuck_after(request))
        return self._page("statistics.html", {"found": found, "since": since})

    async def backtest(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """A form."""
        return self._page("backtest.html", {"report": None, **_FIRST_TRIAL})

    async def run_backtest(self, request: web.Request) -> web.Response:
        """What the rules would have done."""
        form = await request.post()
        given = {name: str(form.get(name, "")) for name in ("rules", "since", "sample")}
        added, reuse = "add" in form, "reuse" in form
        trial = _trial(given, added=added, reuse=reuse)
        report = await asyncio.to_thread(self._ask.backtest, trial)
        return self._page("backtest.html", given | {"report": report, "added": added, "reuse": reuse})

    async def capsule(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """A form."""
        return self._page("capsule.html", {"capsule": None, "replayed": None, "page": None})

    async def open_capsule(self, request: web.Request) -> web.Response:
        """A capsule as a timeline, with what is different here."""
        upload = (await request.post()).get("capsule")
        if not isinstance(upload, web.FileField):
            raise CallError("capsule is missing: choose the file that `triggers capture` wrote")
        capsule, replayed, page = await asyncio.to_thread(_opened, upload.file.read(), upload.filename)
        return self._page("capsule.html", {"capsule": capsule, "replayed": replayed, "page": page})

    def problem(self, status: int, why: str) -> web.Response:
        """An error as a page."""
        return self._page("problem.html", {"why": why, "status": status}, status)

    def _page(self, template: str, values: Mapping[str, object], status: int = 200) -> web.Response:
        text = self._templates.get_template(template).render(values)
        return web.Response(text=text, status=status, content_type="text/html")


def _opened(body: bytes, name: str) -> tuple[Capsule, Replayed, SessionPage]:
    capsule = decode_capsule(body, name)
    events = [event for _, event in events_of_capsule(capsule)]
    return capsule, replay_capsule(capsule), session_page(capsule.session, events)


def _trial(given: dict[str, str], *, added: bool, reuse: bool) -> Trial:
    try:
        since = point_in_time(given["since"]) if given["since"] else None
        sample = int(given["sample"]) if given["sample"] else None
    except ValueError as error:
        raise CallError(f"the period or the sample: {error}") from error
    if sample is not None and not 1 <= sample <= MOST_SAMPLED:
        raise CallError(f"sample is {sample}, it must be from 1 to {MOST_SAMPLED}")
    return Trial(rules=given["rules"].encode(), added=added, since=since, sample=sample, reuse=reuse)


async def _text(request: web.Request, name: str) -> str:
    found = (await request.post()).get(name)
    if not isinstance(found, str) or not found.strip():
        raise CallError(f"{name} is missing")
    return found


def _in_path(uid: str) -> str:
    return quote(uid, safe="")


def _as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _short(text: str, widest: int = 80) -> str:
    return text if len(text) <= widest else text[: widest - 1] + "…"
