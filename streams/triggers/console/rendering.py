"""Renders templates to pages.

All values are escaped, and hidden characters are shown. The fields of forms send their values back, so templates use
the filter `verbatim` there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import Response

from triggers.analysis.backtest.change_words import change_details, change_words, remark_lines, sign_of
from triggers.analysis.times import length_of_time, moment, time_ago
from triggers.analysis.view_changes import value_words
from triggers.analysis.visible_text import show_hidden
from triggers.client.letter_query import LetterQuery
from triggers.console.access import FORM_KEY
from triggers.console.job_forms import job_url
from triggers.console.parameters import text_of
from triggers.console.search_form import search_url
from triggers.console.visit import Visit, Visitor, path_of
from triggers.queries import SessionQuery


class Renderer:
    """Renders the console's templates."""

    def __init__(self, *, is_recorded: bool, has_jobs: bool, can_act: bool) -> None:
        """`is_recorded` says that the console shows a recorded log, without workers.

        With `can_act`, pages have buttons for visitors who may repair.
        """
        self._templates = _environment(is_recorded=is_recorded, has_jobs=has_jobs, can_act=can_act)

    def page(self, visit: Visit, template: str, values: Mapping[str, object], status: int = 200) -> Response:
        """Return a response with a page for a visitor."""
        return self._render(visit.visitor, template, values, status)

    def problem(self, visitor: Visitor | None, status: int, why: str) -> Response:
        """Return a page for an error. Without a visitor, it has nothing that only visitors see."""
        return self._render(visitor, "problem.html", {"why": why, "status": status}, status)

    def _render(self, visitor: Visitor | None, template: str, values: Mapping[str, object], status: int) -> Response:
        text = self._templates.get_template(template).render(values, visitor=visitor)
        return Response(text, status, media_type="text/html")


@cache
def _environment(*, is_recorded: bool, has_jobs: bool, can_act: bool) -> Environment:
    """Return the templates' environment. It escapes all values and raises for an undefined name.

    Consoles of the same kind share it, because it holds the compiled templates.
    """
    templates = Environment(
        loader=PackageLoader("triggers.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_show_hidden,
    )  # fmt: skip
    templates.filters.update(
        moment=moment, as_json=_as_json, short=_short, length_of_time=length_of_time, in_path=path_of, ago=time_ago,
        grouped=_grouped, text=_text, pretty=_pretty, members=_members, as_text=str, verbatim=_verbatim,
    )  # fmt: skip
    templates.globals.update(
        sign_of=sign_of, change_words=change_words, change_details=change_details, remark_lines=remark_lines,
        value_words=value_words, text_of=text_of, search_url=search_url, form_key=_form_key, job_url=job_url,
        is_recorded=is_recorded, has_jobs=has_jobs, can_act=can_act,
    )  # fmt: skip
    return templates


def _show_hidden(value: object) -> object:
    """Return the value of an expression as a page shows it. Markup is the template's own and stays as it is."""
    return show_hidden(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _verbatim(value: object) -> Markup:
    """Return a value for a field of a form, which sends it back."""
    return Markup.escape(value)


@pass_context
def _form_key(context: Context) -> Markup:
    """Return the field that every form has, without which it is refused."""
    visitor: Visitor = context["visitor"]
    return Markup('<input type="hidden" name="{}" value="{}">').format(FORM_KEY, visitor.form_key)


def _as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _short(text: str, widest: int = 80) -> str:
    return text if len(text) <= widest else text[: widest - 1] + "…"


def _grouped(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def _text(data: bytes | None, longest: int | None = None) -> str:
    """Decode bytes for display; escape those that are not UTF-8."""
    return "" if data is None else data.decode(errors="backslashreplace")[:longest]


def _members(query: SessionQuery | LetterQuery) -> dict[str, object]:
    """Return the members of a filter that are set."""
    members: dict[str, object] = msgspec.to_builtins(query)
    return members


def _pretty(payload: bytes) -> str:
    """Format JSON for people."""
    return msgspec.json.format(payload, indent=2).decode(errors="backslashreplace")
