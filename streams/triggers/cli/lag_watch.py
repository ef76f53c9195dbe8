"""Shows the lag repeatedly, with totals and rates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice

import click
import msgspec
from msgspec import Struct
from rich.live import Live
from rich.table import Table

from triggers.analysis.times import length_of_time
from triggers.analysis.visible_text import escape_json
from triggers.cli.output import console, table_of
from triggers.client.consumer_lag import PartitionLag
from triggers.client.lag_totals import LagTotal, total_lag

COLUMNS = ("group", "topic", "lag in offsets", "largest", "unfinished", "written/s", "finished/s", "done in")


class Measured(Struct, frozen=True):
    """One measurement."""

    time: int
    totals: list[LagTotal]
    partitions: list[PartitionLag]


def watch_lag(measure: Callable[[], list[PartitionLag]], every_s: float, times: int | None, *, as_json: bool) -> None:
    """Show the totals every `every_s` seconds, `times` times or until Ctrl-C.

    On a terminal the table is replaced in place; in a pipe, each measurement is a table, or a line of JSON.
    """
    measurements = islice(_measurements(measure, every_s), times)
    stdout = console()
    if as_json:
        for measured in measurements:
            click.echo(escape_json(msgspec.json.encode(_plain(measured)).decode()))
    elif not stdout.is_terminal:
        for measured in measurements:
            stdout.print(_table(measured.totals))
    else:
        with Live(console=stdout, auto_refresh=False) as live:
            for measured in measurements:
                live.update(_table(measured.totals), refresh=True)


def _measurements(measure: Callable[[], list[PartitionLag]], every_s: float) -> Iterator[Measured]:
    before: list[PartitionLag] = []
    measured_at = 0.0
    while True:
        started = time.monotonic()
        rows = measure()
        yield Measured(time.time_ns() // 1_000_000, total_lag(rows, before, started - measured_at), rows)
        before, measured_at = rows, started
        time.sleep(max(0.0, every_s - (time.monotonic() - started)))


def total_rows(totals: list[LagTotal]) -> list[tuple[object, ...]]:
    """Return the rows of the table of totals."""
    return [
        (
            each.group,
            each.topic,
            each.lag,
            each.largest,
            "many" if each.records is None else each.records,
            _rate(each.written_per_s),
            _rate(each.finished_per_s),
            _time_left(each),
        )
        for each in totals
    ]


def _table(totals: list[LagTotal]) -> Table:
    return table_of(COLUMNS, total_rows(totals))


def _rate(per_s: float | None) -> str:
    return "" if per_s is None else f"{per_s:,.1f}"


def _time_left(total: LagTotal) -> str:
    if total.written_per_s is None or not total.lag:
        return ""
    left = total.seconds_left
    return "it grows" if left is None else length_of_time(round(left * 1000))


def _plain(measured: Measured) -> dict[str, object]:
    totals = [asdict(each) | {"seconds_left": each.seconds_left} for each in measured.totals]
    rows = [asdict(row) | {"lag": row.lag} for row in measured.partitions]
    return {"time": measured.time, "totals": totals, "partitions": rows}
