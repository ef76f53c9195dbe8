"""Options that select the dead letters of a command."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import click

from triggers.cli.bulk import JOB_OPTIONS, Bulk
from triggers.cli.ignored_options import refuse_ignored
from triggers.cli.option_types import Duration
from triggers.client.letter_query import LetterQuery
from triggers.queries.filter_values import time_before

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option("--reason", help="Only dead letters with this reason."),
    click.option("--detail", help="With --where: only if the detail contains this text, ignoring case."),
    click.option("--topic", help="With --where: only if the original record is on this topic."),
    click.option("--prefix", default="", help="With --where: only if the key of the record starts with this text."),
    click.option("--older-than", type=Duration(), help="With --where: only if the record is at least this old."),
    click.option("--newer-than", type=Duration(), help="With --where: only if the record is at most this old."),
)
_ONLY_WITH_WHERE: Final = ("detail", "topic", "prefix", "older_than", "newer_than", "rate", "dry_run", "yes")


def letter_job_options(command: F) -> Callable[..., Any]:
    """Add the options to a command, which receives `reason`, and the job of `--where` as `bulk`, or None."""

    @wraps(command)
    def with_bulk(
        *args: object,
        where: bool,
        yes: bool,
        dry_run: bool,
        rate: float,
        reason: str | None,
        detail: str | None,
        topic: str | None,
        prefix: str,
        older_than: int | None,
        newer_than: int | None,
        **others: object,
    ) -> object:
        ctx = click.get_current_context()
        if not where:
            refuse_ignored(ctx, "needs --where", *_ONLY_WITH_WHERE)
            return command(*args, reason=reason, bulk=None, **others)
        refuse_ignored(ctx, "does not go with --where, which is about all that match", "coordinates", "every")
        now = time.time_ns() // 1_000_000
        since, until = time_before(now, newer_than), time_before(now, older_than)
        query = LetterQuery(reason=reason, detail=detail, topic=topic, prefix=prefix, since=since, until=until)
        return command(*args, reason=reason, bulk=Bulk(query, rate, yes, dry_run), **others)

    filtered: Callable[..., Any] = with_bulk
    for option in reversed((*JOB_OPTIONS, *_OPTIONS)):
        filtered = option(filtered)
    return filtered
