"""`triggers stats` counts over all sessions what rules and triggers did."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import click
import msgspec
from msgspec import Struct

from triggers.analysis.event_log import GroupedLog
from triggers.analysis.input_file import InputFile
from triggers.analysis.stats.failures import FailureRow
from triggers.analysis.stats.statistics import (
    PublishedRow,
    RuleRow,
    Statistics,
    StuckRow,
    TriggerRow,
    compute_statistics,
)
from triggers.analysis.times import DAY_MS, length_of_time, moment
from triggers.cli.log_options import every_event, log_options
from triggers.cli.option_types import Duration, PointInTime
from triggers.cli.output import json_option, print_json, print_line, print_table
from triggers.cli.progress import show_count
from triggers.cli.settings_options import command_settings

_SHOWN = 20


@click.command("stats")
@click.option(
    "--since",
    type=PointInTime(),
    help="Start of the period: a time, or a duration before the newest event. Default: the first event.",
)
@click.option(
    "--until",
    type=PointInTime(),
    help="End of the period: a time, or a duration before the newest event. Default: the newest event.",
)
@click.option(
    "--stuck-after",
    type=Duration(),
    default=DAY_MS,
    help="Time without a record after which an unresolved session is stuck, as for `list --stuck`. Default: 1d.",
)
@click.option(
    "--csv",
    "csv_into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder into which the tables are written as CSV files.",
)
@click.option(
    "--parquet",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder into which the tables are written as Parquet files.",
)
@log_options
@json_option
@click.pass_context
def stats_command(
    ctx: click.Context,
    since: int | None,
    until: int | None,
    stuck_after: int,
    csv_into: Path | None,
    parquet: Path | None,
    file: InputFile | None,
    rules: bytes | None,
    as_json: bool,
) -> None:
    """Count over all sessions: rules that never ran, unused triggers, waiting times, what stuck sessions miss.

    The command reads all events, sorts them by session in a temporary file, and folds one session after another.
    """
    with GroupedLog(show_count(every_event(command_settings(ctx), file, rules), "reading")) as log:
        counted = compute_statistics(log, since, until, stuck_after)
    tables: Tables = {
        RuleRow: ("rules", counted.rules),
        TriggerRow: ("triggers", counted.triggers),
        StuckRow: ("stuck", counted.stuck),
        PublishedRow: ("published", counted.published),
        FailureRow: ("failures", counted.failures),
    }
    if csv_into is not None:
        write_csv(csv_into, tables)
    if parquet is not None:
        write_parquet(parquet, tables)
    if as_json:
        print_json(counted)
    else:
        print_statistics(counted)


def print_statistics(found: Statistics) -> None:
    """Print the tables. Each of those for triggers and stuck sessions has at most 20 rows."""
    click.echo(
        f"{found.events} events in {found.sessions} sessions, up to {moment(found.period.until)} (UTC);"
        f" {found.refused} refused; {found.stuck_sessions} sessions are stuck"
    )
    if found.published:
        published = [(row.rules, row.version, row.sessions) for row in found.published]
        print_table(("rules", "version", "sessions"), published, "Published rules")
    columns = (
        "task",
        "sessions",
        "instances",
        "runs",
        "finished",
        "failed",
        "failed now",
        "abandoned",
        "expired",
        "cancelled",
        "waiting",
    )
    print_table((*columns, "wait p50", "p90", "p99", "longest"), map(_rule, found.rules), "Rules")
    print_line(f"Rules that never ran: {', '.join(row.task for row in found.rules if not row.runs) or 'none'}")
    _print_failures(found.failures)
    _print_triggers(found.triggers)
    _print_stuck(found)


def _print_triggers(triggers: Sequence[TriggerRow]) -> None:
    unused = [row for row in triggers if row.fires == row.unused and row.fires and not row.is_task]
    rows = [(row.trigger, row.fires, row.sessions) for row in unused[:_SHOWN]]
    _print_any(("trigger", "fires", "sessions"), rows, "Unused triggers", len(unused))
    silent = [(row.trigger, ", ".join(row.used_by)) for row in triggers if not row.fires and not row.is_task]
    _print_any(("trigger", "used by"), silent[:_SHOWN], "Triggers that never fired", len(silent))


def _print_stuck(found: Statistics) -> None:
    stuck = [
        (
            row.task,
            [*(row.missing or ["nothing"]), *(["(behind a failed instance)"] if row.behind else [])],
            row.sessions,
            row.instances,
            moment(row.oldest),
            ", ".join(row.examples[:2]),
        )
        for row in found.stuck[:_SHOWN]
    ]
    stuck_columns = ("task", "missing", "sessions", "instances", "oldest", "for example")
    _print_any(stuck_columns, stuck, "Stuck sessions", found.stuck_sessions)
    if found.stuck_sessions:
        click.echo("`triggers list --stuck` lists all that are stuck now.")


def _print_any(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str, count: int) -> None:
    if rows:
        print_table(columns, rows, f"{title} ({count})")
    else:
        click.echo(f"{title}: none")


def _rule(row: RuleRow) -> tuple[object, ...]:
    ends = (row.finished, row.failed, row.failed_now, row.abandoned, row.expired, row.cancelled, row.waiting)
    waits = (row.wait_p50_ms, row.wait_p90_ms, row.wait_p99_ms, row.wait_longest_ms)
    return (row.task, row.sessions, row.instances, row.runs, *ends, *map(length_of_time, waits))


def _print_failures(rows: Sequence[FailureRow]) -> None:
    ever, now = sum(row.failed for row in rows), sum(row.failed_now for row in rows)
    shown = [
        (row.task, row.exception, row.message, row.failed, row.failed_now, row.sessions, row.example)
        for row in rows[:_SHOWN]
    ]
    columns = ("task", "exception", "message", "failed", "failed now", "sessions", "for example")
    if shown:
        print_table(columns, shown, f"Failures ({ever} in the period, {now} still failed)")
    else:
        click.echo("Failures: none")
    if len(rows) > len(shown):
        click.echo(f"{len(rows) - len(shown)} more reasons are in --json and --csv.")


Tables = Mapping[type[Struct], tuple[str, Sequence[Struct]]]
"""Struct of the rows -> name of the table, and its rows."""


def write_csv(folder: Path, tables: Tables) -> None:
    """Write each table to `<table>.csv`. A list becomes a cell with JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, (name, rows) in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(kind.__struct_fields__)
            writer.writerows(map(_cell, msgspec.structs.astuple(row)) for row in rows)


def write_parquet(folder: Path, tables: Tables) -> None:
    """Write each table to `<table>.parquet`. Raises UsageError if the extra `parquet` is not installed."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise click.UsageError("Parquet needs pyarrow: pip install 'kafka-triggers[parquet]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    types: dict[object, pa.DataType] = {
        str: pa.string(),
        int: pa.int64(),
        bool: pa.bool_(),
        list[str]: pa.list_(pa.string()),
    }
    for kind, (name, rows) in tables.items():
        schema = pa.schema([(field.name, types[_plain(field.type)]) for field in msgspec.structs.fields(kind)])
        values = [msgspec.to_builtins(row) for row in rows]
        parquet.write_table(pa.Table.from_pylist(values, schema), folder / f"{name}.parquet")


def _plain(kind: object) -> object:
    """Return the type without `| None`, because every column may be null."""
    return next((one for one in get_args(kind) if type(None) in get_args(kind) and one is not type(None)), kind)


def _cell(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, list) else value
