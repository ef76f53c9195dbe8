"""`triggers status` says how many instances have which status now, why some are failed, and what the workers have."""

from __future__ import annotations

import click
from msgspec import Struct

from triggers.cli.list import print_groups, warn_about_missing
from triggers.cli.output import json_option, print_json, print_line, print_table
from triggers.cli.settings_options import kafka_settings
from triggers.cli.worker_words import worker_lines
from triggers.client import SessionSearch
from triggers.errors import TryAgain
from triggers.overview.installation import KafkaInstallation, WorkerPartitions
from triggers.overview.status_table import status_table
from triggers.queries import FailureGroups, StatusCounts
from triggers.settings import Settings


class Overview(Struct, frozen=True):
    """The document that the command prints with `--json`."""

    statuses: StatusCounts
    failures: FailureGroups
    workers: WorkerPartitions | None = None
    """The workers with their partitions, or null if Kafka does not say who they are."""


@click.command("status")
@click.option("--task", help="Only instances of this task.")
@json_option
@click.pass_context
def status_command(ctx: click.Context, task: str | None, as_json: bool) -> None:
    """Print how many instances of each task have which status now, why instances are failed, and the workers.

    The workers keep these counts, so the command is quick with any number of sessions. `stats` counts what happened
    in a period. Partitions that a worker restores have no counts until it has finished.
    """
    settings = kafka_settings(ctx)
    search = SessionSearch(settings)
    counts = search.count_statuses()
    chosen = [each for each in counts.counts if task in {None, each.task}]
    failures = search.group_failures(task)
    statuses = StatusCounts(counts=chosen, missing=counts.missing, counting=counts.counting)
    workers = _workers(settings)
    if as_json:
        print_json(Overview(statuses, failures, workers))
    else:
        _print_counts(statuses)
        print_groups(failures)
        if counts.counting:
            click.echo(f"Sessions of an earlier release are still being counted in partitions {counts.counting}.")
        for name, text in () if workers is None else worker_lines(workers):
            print_line(f"{name}: {text}")
    warn_about_missing(counts.missing, "Instances")


def _workers(settings: Settings) -> WorkerPartitions | None:
    try:
        return KafkaInstallation(settings).list_workers()
    except TryAgain:
        return None


def _print_counts(counts: StatusCounts) -> None:
    """Print a table with a row for each task and a column for each status."""
    table = status_table(counts)
    rows = [(task, *(number or "" for number in numbers)) for task, numbers in table.rows]
    print_table(("task", *table.statuses), rows, "Instances now")
