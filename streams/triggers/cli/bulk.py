"""`--where`: replays, skips, cancels or deletes everything that a filter finds, as a job."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, TypeVar

import click
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from triggers.cli.ignored_options import refuse_ignored
from triggers.cli.operator_events import actor_name
from triggers.cli.output import print_json, print_line, print_table, warn
from triggers.cli.session_filter import FILTERS, session_filter
from triggers.cli.settings_options import kafka_settings
from triggers.client import SessionReader, SessionSearch
from triggers.client.letter_query import LetterQuery
from triggers.errors import TryAgain
from triggers.jobs.job import Job
from triggers.jobs.job_log import JobLog
from triggers.jobs.planner import MAX_RATE, JobPlanner, Selection
from triggers.jobs.records import DEFAULT_RATE, LETTERS, WHOLE_SESSIONS, Action, ItemState, JobChange, JobItem
from triggers.jobs.runner import JobRunner
from triggers.jobs.selection import check_filter
from triggers.jobs.views import PARTICIPLES, count_items, preview, summarize
from triggers.queries import SessionQuery
from triggers.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

JOB_OPTIONS: Final = (
    click.option("--where", is_flag=True, help="Change everything that the options below find, as a job."),
    click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
    click.option(
        "--dry-run", is_flag=True, help="With --where: change nothing. Count the items and show some of them."
    ),
    click.option(
        "--rate",
        type=click.FloatRange(0, MAX_RATE, min_open=True),
        default=DEFAULT_RATE,
        show_default=True,
        help="With --where: maximum number of items per second.",
    ),
)


class Bulk(Struct, frozen=True):
    """The options for many sessions."""

    query: SessionQuery | LetterQuery
    rate: float
    yes: bool
    dry_run: bool


def bulk_options(command: F) -> Callable[..., Any]:
    """Add the options to a command, which receives them as `bulk`. It is None without --where.

    Without --where, the arguments of the command must be given.
    """

    @wraps(command)
    def with_bulk(
        *args: object, where: bool, yes: bool, dry_run: bool, rate: float, query: SessionQuery, **others: object
    ) -> object:
        ctx = click.get_current_context()
        if where:
            refuse_ignored(ctx, "does not go with --where, which is about all that match", "session", "instance")
            return command(*args, bulk=Bulk(query, rate, yes, dry_run), **others)
        asks_anyway = ctx.info_name == Action.DELETE
        refuse_ignored(ctx, "needs --where", *FILTERS, "rate", "dry_run", *(() if asks_anyway else ("yes",)))
        if missing := [name for name in ("session", "instance") if others.get(name) == ""]:
            raise click.UsageError(f"Missing argument '{missing[0].upper()}'. Or add --where to change all that match.")
        return command(*args, bulk=None, **others)

    filtered: Callable[..., Any] = session_filter(with_bulk)
    for option in reversed(JOB_OPTIONS):
        filtered = option(filtered)
    return filtered


def repair_many(ctx: click.Context, change: JobChange, bulk: Bulk, *, as_json: bool) -> None:
    """Show what the filter finds, ask, record the job, and run it to its end."""
    if as_json and not (bulk.yes or bulk.dry_run):
        raise click.UsageError("--json cannot ask for confirmation; add --yes, or --dry-run")
    check_filter(change.action, bulk.query)
    settings = kafka_settings(ctx, "events", "jobs")
    log, reader = JobLog(settings), SessionReader(settings)
    planner = JobPlanner(settings, log, SessionSearch(settings), reader)
    if isinstance(bulk.query, SessionQuery):
        selection = planner.select(change, bulk.query)
    else:
        selection = planner.select_letters(change, bulk.query)
    if not as_json:
        _print_selection(selection)
    elif bulk.dry_run:
        print_json(preview(selection))
    if bulk.dry_run or not selection.items:
        if as_json and not bulk.dry_run:
            print_json(None)
        return
    if not bulk.yes:
        click.confirm(f"{change.action.capitalize()} {_count(selection)}?", abort=True)
    job = planner.create(selection, actor=actor_name(settings), rate=bulk.rate)
    run_job(ctx, settings, log, reader, job, as_json=as_json)


def run_job(
    ctx: click.Context, settings: Settings, log: JobLog, reader: SessionReader, job: Job, *, as_json: bool
) -> None:
    """Run a job until every item has its result. Ends with 1 if an event was refused, with 4 if a result is missing."""
    resume = f"triggers jobs resume {job.id}"
    if not as_json:
        print_line(f"Job {job.id}. If this command ends early, continue with: {resume}")
        sys.stdout.flush()
    try:
        with _progress_bar(job) as show_progress:
            JobRunner(settings, log, reader).run(job.id, stop=threading.Event(), on_progress=show_progress)
    except (KeyboardInterrupt, TryAgain):
        warn(f"{job.finished} of {len(job.items)} items are done. Continue with: {resume}")
        raise
    if as_json:
        print_json(summarize(job))
    else:
        print_line(f"Job {job.id}: {counts_words(job)}.")
    if not job.is_finished:
        raise TryAgain(f"the workers have not applied all events yet. Continue with: {resume}")
    if job.counts()[ItemState.REFUSED]:
        ctx.exit(1)


def counts_words(job: Job) -> str:
    """Return how many items are in which state, such as `48 applied, 2 obsolete`."""
    return ", ".join(f"{number} {state}" for state, number in job.counts().items() if number) or "no items"


@contextmanager
def _progress_bar(job: Job) -> Iterator[Callable[[Job], None]]:
    """Yield what shows how far the job is, on standard error if that is a terminal."""
    stderr = Console(stderr=True)
    if not stderr.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        bar = progress.add_task(job.head.change.action, total=len(job.items), completed=job.finished)
        yield lambda job: progress.update(bar, completed=job.finished)


def _print_selection(selection: Selection) -> None:
    participle = PARTICIPLES[selection.change.action]
    if not selection.items:
        click.echo(f"Nothing matches, so nothing is {participle}.")
        return
    rows = [(each.task, each.reason, each.items) for each in selection.groups()]
    print_line(f"{_count(selection)} would be {participle}:")
    print_table(("task", "reason", "number"), rows)
    print_line(f"For example: {', '.join(map(_item_words, selection.items[:3]))}")


def _item_words(item: JobItem) -> str:
    """Return what an item is: a session, one of its instances, or a dead letter with the key of its record."""
    what = f"{item.partition}/{item.offset}" if item.partition >= 0 else item.instance
    return f"{item.session} {what}".strip()


def _count(selection: Selection) -> str:
    items = count_items(selection.change.action, len(selection.items))
    if selection.change.action in WHOLE_SESSIONS | LETTERS:
        return items
    return f"{items} of {count_items(Action.DELETE, selection.sessions)}"
