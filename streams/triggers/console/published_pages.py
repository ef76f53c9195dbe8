"""Published rules: all of them with their versions, and what changed between two versions."""

from __future__ import annotations

import asyncio
from difflib import unified_diff
from typing import Final, NamedTuple

import msgspec
from starlette.responses import Response

from triggers.analysis.graph.rules import picture_of_rules
from triggers.analysis.graph.svg import svg
from triggers.client.published_rules import find_version, newest_versions, versions_of
from triggers.console.gate import PageRoute
from triggers.console.parameters import number_of
from triggers.console.rendering import Renderer
from triggers.console.visit import Visit
from triggers.core.config import compile_plan, validate_configuration
from triggers.core.events import RulesPublished
from triggers.core.published_rules import MAX_VERSION
from triggers.errors import InvalidConfiguration
from triggers.overview.installation import InstallationReader

_CONTEXT: Final = 3


class DiffLine(NamedTuple):
    """A line of a difference."""

    kind: str
    """`added`, `removed`, `heading` for the first line of a part, or `same`."""
    text: str


class PublishedPages:
    """Handlers of these pages."""

    def __init__(self, installation: InstallationReader, renderer: Renderer) -> None:
        self._installation = installation
        self._renderer = renderer

    def routes(self) -> list[PageRoute]:
        """Return the routes of all handlers."""
        return [
            PageRoute("GET", "/rules/published", self.list_rules),
            PageRoute("GET", "/rules/published/{name}", self.show_rules),
        ]

    async def list_rules(self, visit: Visit) -> Response:
        """Show all published rules, each with its newest version."""
        published = await asyncio.to_thread(self._installation.list_rules)
        return self._renderer.page(visit, "published.html", {"rules": newest_versions(published)})

    async def show_rules(self, visit: Visit) -> Response:
        """Show the versions of rules, and what changed: `?from=&to=`, by default the two newest versions."""
        name = visit.name("name")
        versions = versions_of(await asyncio.to_thread(self._installation.list_rules), name)
        last = number_of(visit.query, "to", versions[-1].version, MAX_VERSION)
        after = find_version(versions, last)
        first = number_of(visit.query, "from", max(after.version - 1, 1), MAX_VERSION)
        before = find_version(versions, first)
        values = {
            "name": name, "versions": versions, "before": before, "after": after,
            "lines": difference(before, after), "picture": await asyncio.to_thread(_drawn, after),
        }  # fmt: skip
        return self._renderer.page(visit, "published_rules.html", values)


def difference(before: RulesPublished, after: RulesPublished) -> list[DiffLine]:
    """Return the lines that differ between two versions, with some lines around them."""
    lines = unified_diff(_lines_of(before), _lines_of(after), lineterm="", n=_CONTEXT)
    return [_diff_line(line) for line in list(lines)[2:]]  # without the heading, which names files


def _lines_of(event: RulesPublished) -> list[str]:
    """Return a version as lines: the sessions that begin with it, then its configuration."""
    configuration = msgspec.json.format(event.configuration, indent=2).decode(errors="backslashreplace")
    facts = {"match": event.match, "default": event.is_default, "existing": event.existing, "locked": event.locked}
    heading = [f"{name}: {msgspec.json.encode(value).decode()}" for name, value in facts.items()]
    return heading + configuration.splitlines()


def _diff_line(line: str) -> DiffLine:
    kinds = {"+": "added", "-": "removed", "@": "heading"}
    return DiffLine(kinds.get(line[:1], "same"), line)


def _drawn(event: RulesPublished) -> str | None:
    """Return a picture of the rules, or None if this release does not understand them. Blocks."""
    try:
        validate_configuration(event.configuration)
    except InvalidConfiguration:
        return None
    return svg(picture_of_rules(compile_plan(event.configuration), event.name))
