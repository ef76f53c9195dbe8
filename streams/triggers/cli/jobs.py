"""`triggers jobs` shows the jobs of `--where`, resumes those that ended early, and cancels others."""

from __future__ import annotations

import click

from triggers.analysis.times import moment
from triggers.cli.bulk import counts_words, run_job
from triggers.cli.operator_events import actor_name
from triggers.cli.output import json_option, print_json, print_line, print_table
from triggers.cli.settings_options import kafka_settings
from triggers.cli.suggesting_group import SuggestingGroup
from triggers.client import SessionReader
from triggers.jobs.job import Job
from triggers.jobs.job_log import JobLog
from triggers.jobs.records import LETTERS, ItemState
from triggers.jobs.views import ItemView, summarize, view_job


@click.group("jobs", cls=SuggestingGroup)
def jobs_command() -> None:
    """Show bulk repairs, resume those that ended early, and cancel others."""


@jobs_command.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of jobs.")
@json_option
@click.pass_context
def list_jobs(ctx: click.Context, limit: int, as_json: bool) -> None:
    """List the newest jobs."""
    jobs = JobLog(kafka_settings(ctx, "jobs")).read_jobs()[:limit]
    if as_json:
        print_json([summarize(job) for job in jobs])
        return
    columns = ("job", "action", "items", "results", "actor", "created (UTC)", "last change (UTC)")
    print_table(columns, [_row(job) for job in jobs])


@jobs_command.command("show")
@click.argument("job")
@click.option("--state", type=click.Choice([state.value for state in ItemState]), help="Only items in this state.")
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="Number of the first item.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of items.")
@json_option
@click.pass_context
def show_job(ctx: click.Context, job: str, state: str | None, first: int, limit: int, as_json: bool) -> None:
    """Show the state of each item of JOB."""
    found = JobLog(kafka_settings(ctx, "jobs")).find(job)
    view = view_job(found, state=None if state is None else ItemState(state), first=first, limit=limit)
    if as_json:
        print_json(view)
        return
    title = f"{found.head.change.action} by {found.head.actor or 'unknown'}: {counts_words(found)}"
    kind = "dead letter" if found.head.change.action in LETTERS else "instance"
    columns = ("number", "session", kind, "reason", "state", "now", "runs again as")
    print_table(columns, [_item_row(item) for item in view.items], title)
    if view.next is not None:
        print_line(f"There are more items: add --first {view.next}")


@jobs_command.command("resume")
@click.argument("job")
@json_option
@click.pass_context
def resume_job(ctx: click.Context, job: str, as_json: bool) -> None:
    """Continue JOB until every item has its result.

    What has been published is not published again, even if the job still runs elsewhere.
    """
    settings = kafka_settings(ctx, "events", "jobs")
    log = JobLog(settings)
    run_job(ctx, settings, log, SessionReader(settings), log.find(job), as_json=as_json)


@jobs_command.command("cancel")
@click.argument("job")
@json_option
@click.pass_context
def cancel_job(ctx: click.Context, job: str, as_json: bool) -> None:
    """Cancel the pending items of JOB, wherever it runs. Items that are published are not undone."""
    settings = kafka_settings(ctx, "jobs")
    found = JobLog(settings).cancel(job, actor_name(settings))
    if as_json:
        print_json(summarize(found))
    else:
        print_line(f"Job {found.id}: {counts_words(found)}.")


def _row(job: Job) -> tuple[object, ...]:
    head = job.head
    return (
        job.id,
        head.change.action,
        len(job.items),
        counts_words(job),
        head.actor,
        moment(job.created),
        moment(job.changed),
    )


def _item_row(item: ItemView) -> tuple[object, ...]:
    what = item.instance if item.offset is None else f"{item.partition}/{item.offset}"
    return item.item, item.session, what, item.reason, item.state, item.detail, item.replays
