"""Renders templates to pages. All values are escaped."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from triggers.analysis.backtest.change_words import change_details, change_words, note_lines, sign_of
from triggers.analysis.times import length_of_time, moment
from triggers.analysis.view_changes import value_words
from triggers.console.parameters import path_of, text_of
from triggers.console.search_form import search_url


class Renderer:
    """Renders the console's templates."""

    def __init__(self, *, is_recorded: bool) -> None:
        """`is_recorded` says that the console shows a recorded log, without workers."""
        self._templates = _environment()
        self._templates.globals["is_recorded"] = is_recorded

    def page(self, template: str, values: Mapping[str, object], status: int = 200) -> web.Response:
        """Return a response with a page."""
        text = self._templates.get_template(template).render(values)
        return web.Response(text=text, status=status, content_type="text/html")

    def problem(self, status: int, why: str) -> web.Response:
        """Return a page for an error. Called by the middleware."""
        return self.page("problem.html", {"why": why, "status": status}, status)


def _environment() -> Environment:
    """Return the templates' environment. It escapes all values and raises for an undefined name."""
    templates = Environment(
        loader=PackageLoader("triggers.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    templates.filters.update(
        moment=moment, as_json=_as_json, short=_short, length_of_time=length_of_time, in_path=path_of, ago=_ago,
        grouped=_grouped, text=_text,
    )  # fmt: skip
    templates.globals.update(
        sign_of=sign_of, change_words=change_words, change_details=change_details, note_lines=note_lines,
        value_words=value_words, text_of=text_of, search_url=search_url,
    )  # fmt: skip
    return templates


def _as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _short(text: str, widest: int = 80) -> str:
    return text if len(text) <= widest else text[: widest - 1] + "…"


def _ago(milliseconds: int) -> str:
    return f"{length_of_time(max(0, time.time_ns() // 1_000_000 - milliseconds))} ago"


def _grouped(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def _text(data: bytes | None, longest: int | None = None) -> str:
    """Decode bytes for display; escape those that are not UTF-8."""
    return "" if data is None else data.decode(errors="backslashreplace")[:longest]
