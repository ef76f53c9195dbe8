"""Options that select the sessions of a command."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import click
import msgspec

from triggers.analysis.times import DAY_MS
from triggers.cli.option_types import Duration, ListPosition
from triggers.queries import SessionQuery
from triggers.queries.filter_values import parse_rules, time_before

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option("--failed", is_flag=True, help="Only sessions with a failed instance."),
    click.option(
        "--stuck",
        type=Duration(),
        is_flag=False,
        flag_value=DAY_MS,
        help="Only unresolved sessions in which nothing has happened for this long, or which wait for the task of a"
        " failed instance. Default of DURATION: 1d.",
    ),
    click.option("--status", help="Only sessions with an instance that has this status now."),
    click.option(
        "--task",
        help="Only sessions with an instance of this task, to which --status, --exception and --message apply.",
    ),
    click.option(
        "--exception",
        help="Only sessions with a failed instance whose exception has this class, with or without its module.",
    ),
    click.option(
        "--message",
        help="Only sessions with a failed instance whose exception contains this text, ignoring case.",
    ),
    click.option("--trigger", "seen", help="Only sessions in which this trigger has fired."),
    click.option("--missing", help="Only sessions in which a task waits for this trigger."),
    click.option("--rules", metavar="NAME[@VERSION]", help="Only sessions with these published rules."),
    click.option("--older-than", type=Duration(), help="Only sessions that began at least this long ago."),
    click.option("--unchanged-for", type=Duration(), help="Only sessions that have not changed for this long."),
    click.option("--prefix", default="", help="Only sessions whose UID starts with this text."),
)
FILTERS: Final = (
    "failed",
    "stuck",
    "status",
    "task",
    "exception",
    "message",
    "seen",
    "missing",
    "rules",
    "older_than",
    "unchanged_for",
    "prefix",
)
"""The names of the options in Python."""


def session_filter(command: F) -> Callable[..., Any]:
    """Add the options to a command, which receives them as `query`. All of them must hold.

    Durations count back from now, or from the first page of a list if the command has a `cursor`.
    """

    @wraps(command)
    def with_query(
        *args: object,
        failed: bool,
        stuck: int | None,
        status: str | None,
        rules: str | None,
        older_than: int | None,
        unchanged_for: int | None,
        **others: object,
    ) -> object:
        if failed and status not in {None, "failed"}:
            raise click.UsageError(f"--failed and --status {status} exclude each other")
        name, version = (None, None) if rules is None else parse_rules(rules)
        cursor = others.get("cursor")
        now = cursor.asked_at if isinstance(cursor, ListPosition) else time.time_ns() // 1_000_000
        names = ("task", "exception", "message", "seen", "missing", "prefix")
        filters = {
            "status": "failed" if failed else status,
            "stuck_ms": stuck,
            "rules": name,
            "version": version,
            "created_until": time_before(now, older_than),
            "changed_until": time_before(now, unchanged_for),
        }
        query = msgspec.convert(filters | {name: others.pop(name) for name in names}, SessionQuery)
        query.check()
        return command(*args, query=query, **others)

    for option in reversed(_OPTIONS):
        with_query = option(with_query)
    return with_query
