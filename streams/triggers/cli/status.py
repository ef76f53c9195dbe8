"""`triggers status` says how many instances have which status now, and why some are failed."""

from __future__ import annotations

import click
from msgspec import Struct

from triggers.cli.list import print_groups, warn_about_missing
from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import kafka_settings
from triggers.client import SessionSearch
from triggers.queries import FailureGroups, StatusCount, StatusCounts

FIRST = ("unstarted", "delayed", "scheduled", "running", "finished", "failed")
"""Statuses whose columns come first, in the order of an instance's life."""


class Overview(Struct, frozen=True):
    """What the command prints with `--json`."""

    statuses: StatusCounts
    failures: FailureGroups


@click.command("status")
@click.option("--task", help="Only instances of this task.")
@json_option
@click.pass_context
def status_command(ctx: click.Context, task: str | None, as_json: bool) -> None:
    """Print how many instances of each task have which status now, and why instances are failed.

    The workers keep these counts, so the command is quick with any number of sessions. `stats` counts what happened
    in a period.
    """
    search = SessionSearch(kafka_settings(ctx))
    counts = search.count_statuses()
    chosen = [each for each in counts.counts if task in {None, each.task}]
    failures = search.group_failures(task)
    statuses = StatusCounts(counts=chosen, missing=counts.missing, counting=counts.counting)
    if as_json:
        print_json(Overview(statuses, failures))
    else:
        print_counts(chosen)
        print_groups(failures)
        if counts.counting:
            click.echo(f"Sessions of an earlier release are still being counted in partitions {counts.counting}.")
    warn_about_missing(counts.missing, "Instances")


def print_counts(counts: list[StatusCount]) -> None:
    """Print a table with a row for each task and a column for each status."""
    statuses = {each.status for each in counts}
    columns = [*(status for status in FIRST if status in statuses), *sorted(statuses.difference(FIRST))]
    numbers = {(each.task, each.status): each.instances for each in counts}
    tasks = dict.fromkeys(each.task for each in counts)
    rows = [(task, *(numbers.get((task, status), "") for status in columns)) for task in tasks]
    print_table(("task", *columns), rows, "Instances now")
