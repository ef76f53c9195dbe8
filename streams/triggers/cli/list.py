"""`triggers list` finds sessions."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable
from functools import partial

import click
import msgspec

from triggers.analysis.times import moment, time_ago
from triggers.cli.option_types import ListPosition, ListPositionType
from triggers.cli.output import fits_terminal, json_option, print_json, print_line, print_table, rules_words, warn
from triggers.cli.session_filter import session_filter
from triggers.cli.settings_options import kafka_settings
from triggers.client import SessionSearch
from triggers.queries import FailureGroups, FoundSession, MissingPartition, Page, SessionQuery
from triggers.queries.known_statuses import check_status

_GROUPS_SHOWN = 10


@click.command("list")
@session_filter
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Maximum number of sessions."
)
@click.option(
    "--cursor",
    type=ListPositionType(),
    default=lambda: ListPosition(time.time_ns() // 1_000_000),
    help="Continue after the page that printed this cursor.",
)
@json_option
@click.pass_context
def list_command(ctx: click.Context, query: SessionQuery, limit: int, cursor: ListPosition, as_json: bool) -> None:
    """Find sessions and list them in the order of their UIDs. The command asks all workers.

    With --failed, the reasons come first: the failed instances of all sessions by task, exception and message. With
    --json, the document is one part of the search, which may have no session and a cursor.
    """
    search = SessionSearch(kafka_settings(ctx))
    find = partial(search.find, query, limit=limit)
    page = find(cursor=cursor.cursor) if as_json else find_first(lambda after: find(cursor=after), cursor.cursor)
    if page.is_empty:
        check_status(query.status, search.count_statuses)
    further = cursor.after(page.cursor)
    if as_json:
        print_json(msgspec.structs.replace(page, cursor=further))
    else:
        if query == SessionQuery(status="failed", task=query.task) and cursor.cursor is None:
            print_groups(search.group_failures(query.task))
        _print_sessions(page, query)
    warn_about_missing(page.missing, "Sessions")
    if further is not None and not as_json:
        print_line(f"There are more sessions: add --cursor {shlex.quote(further)}")


def find_first(find: Callable[[str | None], Page], cursor: str | None) -> Page:
    """Return the first page that has a session, or the last page. Say meanwhile how many rows were examined.

    A page that lacks partitions is returned as it is, because they may have sessions that match.
    """
    page, examined = find(cursor), 0
    while not page.sessions and page.cursor is not None and page.is_complete:
        examined += page.examined
        click.echo(f"Nothing has matched among {examined:,} rows; the search goes on.", err=True)
        page = find(page.cursor)
    return page


def print_groups(groups: FailureGroups) -> None:
    """Print the failed instances by task, exception and message."""
    shown = groups.groups[:_GROUPS_SHOWN]
    if shown:
        rows = [
            (each.task, each.exception, _line(each.message), each.instances, each.sessions, time_ago(each.newest))
            for each in shown
        ]
        columns = ("task", "exception", "message", "failed", "sessions", "last")
        total = sum(each.instances for each in groups.groups) + groups.omitted
        print_table(columns, rows, f"Failed now: {total}{' or more' if groups.is_cut else ''}")
    if len(groups.groups) > len(shown):
        left_out = (
            f"{len(groups.groups) - len(shown)} more reasons are not shown; `triggers status --json` has all of them."
        )
        click.echo(left_out)


def _print_sessions(page: Page, query: SessionQuery) -> None:
    if not page.sessions:
        found = "There are no sessions" if query.is_empty else "No session matches"
        click.echo(f"{found}{'' if page.cursor is None else ' in this part of the search'}.")
    elif query.wants_failed or query.stuck_ms is not None:
        print_table(*_reasons(page.sessions))
    else:
        print_table(*_facts(page.sessions))


def _reasons(sessions: Iterable[FoundSession]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Return columns and rows that say what is wrong with sessions."""
    columns = ("session", "unresolved", "failed", "what failed", "last change")
    return columns, [
        (each.uid, each.unresolved, each.failed, _failure_lines(each), time_ago(each.modified)) for each in sessions
    ]


def _failure_lines(session: FoundSession) -> list[str]:
    lines = [f"{one.instance} {one.exception}: {_line(one.message)}".rstrip(": ") for one in session.failures]
    if session.failed > len(session.failures):
        lines.append(f"… {session.failed - len(session.failures)} more")
    if session.waits_behind:
        lines.append(f"others wait for {', '.join(session.waits_behind)}")
    return lines


def _facts(sessions: Iterable[FoundSession]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    columns = ("session", "events", "instances", "unresolved", "failed", "created (UTC)", "modified (UTC)", "rules")
    rows: list[tuple[object, ...]] = [
        (
            each.uid,
            each.events,
            each.instances,
            each.unresolved,
            each.failed,
            moment(each.created),
            moment(each.modified),
            rules_words(each.rules),
        )
        for each in sessions
    ]
    if fits_terminal(columns, rows):
        return columns, rows
    narrow = ("session", "unresolved", "failed", "last change")
    return narrow, [(each.uid, each.unresolved, each.failed, time_ago(each.modified)) for each in sessions]


def _line(text: str) -> str:
    return " ".join(text.split())


def warn_about_missing(missing: list[MissingPartition], what: str) -> None:
    """Say on standard error which partitions an answer lacks, if there are any."""
    if missing:
        numbers = ", ".join(str(each.partition) for each in missing)
        warn(f"{what} of the partitions {numbers} are missing: {missing[0].reason}. Repeat the command.")
