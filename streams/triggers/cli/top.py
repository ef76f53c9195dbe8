"""`triggers top` shows what the installation does now, again and again, as the console's first page does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import click
import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from triggers.analysis.times import length_of_time
from triggers.analysis.visible_text import escape_json
from triggers.cli.finished_commands import finished_of_executors
from triggers.cli.lag_watch import COLUMNS as LAG_COLUMNS
from triggers.cli.lag_watch import total_rows
from triggers.cli.option_types import Duration
from triggers.cli.output import cell, console, json_option, table_of
from triggers.cli.settings_options import kafka_settings
from triggers.cli.worker_words import worker_lines
from triggers.overview.installation import KafkaInstallation
from triggers.overview.reader import Overview, OverviewReader
from triggers.overview.remembered import ValueOrProblem
from triggers.overview.status_table import StatusTable

_EVERY_MS = 3_000
_FAILURES_SHOWN = 5


@click.command("top")
@click.option("--every", type=Duration(), default=_EVERY_MS, help="Time between two measurements. Default: 3s.")
@click.option("--times", type=click.IntRange(1), help="Number of measurements. Default: until Ctrl-C.")
@json_option
@click.pass_context
def top_command(ctx: click.Context, every: int, times: int | None, as_json: bool) -> None:
    """Show live what the installation does: instances, failures, stuck sessions, lag, workers, dead letters.

    On a terminal, each measurement replaces the previous one. In a pipe, each is printed, with --json as a line. A part
    that does not answer within five seconds is reported as missing, and the others are shown.
    """
    installation = KafkaInstallation(kafka_settings(ctx, "events", "commands"), finished_of_executors())
    reader = OverviewReader(installation, keep_s=0.0)
    try:
        asyncio.run(_show(reader, every / 1000, times, as_json=as_json))
    finally:
        reader.close()


async def _show(reader: OverviewReader, every_s: float, times: int | None, *, as_json: bool) -> None:
    stdout = console()
    async with aclosing(_answers(reader, every_s, times)) as answers:
        if as_json or not stdout.is_terminal:
            async for overview in answers:
                if as_json:
                    click.echo(escape_json(msgspec.json.encode(_plain(overview)).decode()))
                else:
                    stdout.print(_screen(overview))
            return
        with Live(console=stdout, screen=True, auto_refresh=False) as live:
            async for overview in answers:
                live.update(_screen(overview), refresh=True)


async def _answers(reader: OverviewReader, every_s: float, times: int | None) -> AsyncGenerator[Overview]:
    number = 0
    while True:
        started = time.monotonic()
        yield await reader.read()
        number += 1
        if number == times:
            return
        await asyncio.sleep(max(0.0, every_s - (time.monotonic() - started)))


def _screen(overview: Overview) -> RenderableType:
    parts = (*_statuses(overview.statuses), *_failures(overview), *_lag(overview), *_rest(overview))
    return Group(*parts, *_problems(overview))


def _statuses(answer: ValueOrProblem[StatusTable]) -> Iterator[RenderableType]:
    if (found := answer.value) is not None:
        totals = ("all tasks", *(found.totals[status] for status in found.statuses))
        rows = [(task, *(number or "" for number in numbers)) for task, numbers in found.rows]
        yield table_of(("instances", *found.statuses), [totals, *rows])


def _failures(overview: Overview) -> Iterator[RenderableType]:
    found = overview.failures.value
    if found is not None and found.groups:
        shown = found.groups[:_FAILURES_SHOWN]
        rows = [(each.instances, each.task, each.exception, " ".join(each.message.split())) for each in shown]
        yield table_of(("failed", "task", "exception", "message"), rows)


def _lag(overview: Overview) -> Iterator[RenderableType]:
    if (found := overview.lag.value) is not None:
        yield table_of(LAG_COLUMNS, total_rows(found.totals))


def _rest(overview: Overview) -> Iterator[RenderableType]:
    if (workers := overview.workers.value) is not None:
        yield from (_line(name, text) for name, text in worker_lines(workers))
    if (stuck := overview.stuck.value) is not None:
        now = time.time_ns() // 1_000_000
        oldest = (f"{each.uid} for {length_of_time(max(0, now - each.last_record))}" for each in stuck.oldest)
        number = f"{stuck.number}{' or more' if stuck.has_more else ''}"
        yield _line("stuck sessions", ", ".join([number, *oldest]))
    if (letters := overview.letters.value) is not None:
        counts = (f"{reason} {number}" for reason, number in letters.items())
        yield _line("dead letters", ", ".join([str(sum(letters.values())), *counts]))


def _problems(overview: Overview) -> Iterator[RenderableType]:
    for name, answer in overview._asdict().items():
        if answer.problem:
            yield _line(f"missing: {name}", answer.problem)


def _line(name: str, text: str) -> Text:
    return Text.from_markup(f"[bold]{name}[/]  {cell(text)}")


def _plain(overview: Overview) -> dict[str, Any]:
    answers: dict[str, ValueOrProblem[Any]] = overview._asdict()
    plain: dict[str, Any] = {"time": time.time_ns() // 1_000_000}
    for name, answer in answers.items():
        value = answer.value
        plain[name] = value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else value
    plain["missing"] = {name: answer.problem for name, answer in answers.items() if answer.problem}
    return plain
