"""`triggers backtest` compares recorded sessions with what other rules would have done."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from triggers.analysis.backtest.assumptions import Assumptions, NewRules, parse_stub
from triggers.analysis.backtest.change_words import change_details, change_words, remark_lines, sign_of
from triggers.analysis.backtest.difference import RunChange, SessionDifference
from triggers.analysis.backtest.report import SHOWN, Backtest, BacktestReport, scope_of
from triggers.analysis.event_log import GroupedLog
from triggers.analysis.input_file import InputFile
from triggers.cli.log_options import every_event, log_options
from triggers.cli.option_types import JsonObject, PointInTime
from triggers.cli.output import json_option, print_json, print_line, print_table
from triggers.cli.printable import printable
from triggers.cli.progress import COLUMNS
from triggers.cli.settings_options import command_settings
from triggers.core.config import validate_configuration
from triggers.core.events import Event
from triggers.errors import CallError

_PRINT_EVERY = 1_000


class Stub(click.ParamType):
    """The result of a task that did not run in the log, given as TASK=JSON."""

    name = "TASK=JSON"

    def convert(
        self, value: str | tuple[str, bytes], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, bytes]:
        if isinstance(value, tuple):
            return value
        try:
            return parse_stub(value)
        except CallError as error:
            self.fail(str(error), param, ctx)


@click.command("backtest")
@click.argument("new_rules", metavar="NEW_RULES.json", type=JsonObject())
@click.option(
    "--since",
    type=PointInTime(),
    help="Fold only sessions with an event since this time. A duration such as 30d counts back from the newest event."
    " Default: fold all sessions.",
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    help="Maximum number of sessions to fold. The same log gives the same sample. Default: no limit.",
)
@click.option("--add", "added", is_flag=True, help="Add the rules to the recorded rules instead of replacing them.")
@click.option("--stub", "stubs", multiple=True, type=Stub(), help="Result of runs that are not in the log. Repeatable.")
@click.option("--reuse", is_flag=True, help="For a run that is not in the log, use the result of another run.")
@click.option("--show", default=SHOWN, show_default=True, help="Number of sessions to show for each kind of change.")
@click.option("--out", type=click.File("wb"), help="File for all changed sessions, one JSON object per line.")
@log_options
@json_option
@click.pass_context
def backtest_command(
    ctx: click.Context,
    new_rules: bytes,
    since: int | None,
    sample: int | None,
    added: bool,
    stubs: tuple[tuple[str, bytes], ...],
    reuse: bool,
    show: int,
    out: click.utils.LazyFile | None,
    file: InputFile | None,
    rules: bytes | None,
    as_json: bool,
) -> None:
    """Fold recorded sessions with their own rules and with NEW_RULES.json, and print the differences.

    Events of applications and operators stay as they were. A run that is in the log has its recorded result. The
    result of any other run is unknown, and tasks that wait for it are not judged, unless --stub or --reuse says which
    result to assume. Nothing is published. The exit code is 1 if a session would change.
    """
    validate_configuration(new_rules)
    scope = scope_of(since, sample)
    backtest = Backtest(
        NewRules(rules=new_rules, added=added), Assumptions(stubs=dict(stubs), reuse=reuse), scope, show
    )
    _run(backtest, every_event(command_settings(ctx), file, rules), out)
    _print_report(backtest.report(), as_json)


def _run(backtest: Backtest, events: Iterable[tuple[str, Event]], out: click.utils.LazyFile | None) -> None:
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(*COLUMNS, console=Console(stderr=True), transient=True))
        log = stack.enter_context(GroupedLog())
        reading = _Counted(progress, "reading", None)
        backtest.gather(reading.through(events), log)
        folding = _Counted(progress, "folding", reading.count)
        for difference in backtest.differences(log, folding.add):
            if out is not None and difference.changes:
                out.write(_line(difference))


class _Counted:
    """A progress bar that is redrawn once every `_PRINT_EVERY` events."""

    def __init__(self, progress: Progress, name: str, total: int | None) -> None:
        self._progress = progress
        self._bar = progress.add_task(name, total=total)
        self.count = 0

    def add(self, events: int) -> None:
        """Add a number of processed events."""
        before, self.count = self.count, self.count + events
        if self.count // _PRINT_EVERY > before // _PRINT_EVERY:
            self._progress.update(self._bar, completed=self.count)

    def through(self, events: Iterable[tuple[str, Event]]) -> Iterator[tuple[str, Event]]:
        """Yield the events and count them."""
        for event in events:
            self.add(1)
            yield event
        self._progress.update(self._bar, total=self.count, completed=self.count)


def _line(difference: SessionDifference) -> bytes:
    return msgspec.json.encode(difference) + b"\n"


def _print_report(report: BacktestReport, as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        print_report(report)
    sys.exit(1 if report.changed else 0)


_COLOURS = {RunChange.ADDED: "green", RunChange.REMOVED: "red"}


def print_report(report: BacktestReport) -> None:
    """Print the counts, then the sample sessions."""
    click.echo(f"{report.sessions:,} sessions folded ({report.events:,} events): {report.changed:,} would change.")
    if report.changed:
        rows = [(change, count.sessions, count.runs) for change, count in report.changes.items()]
        print_table(("change", "sessions", "runs"), rows)
        kinds = list(report.changes)
        tasks = [(task, *(counts.get(kind, 0) for kind in kinds)) for task, counts in report.tasks.items()]
        print_table(("task", *kinds), tasks)
    _print_assumptions(report)
    for sample in report.samples:
        print_difference(sample)


def _print_assumptions(report: BacktestReport) -> None:
    known = [f"{count:,} {how}" for how, count in sorted(report.results.items(), key=lambda one: -one[1])]
    click.echo(f"Results of the runs under the new rules: {'; '.join(known) or 'none'}.")
    if report.doubtful:
        click.echo(
            f"In {report.doubtful:,} sessions some tasks are not judged because they wait for an unknown result, or for"
            " a timer that is due after the last event."
        )
    if report.forwards:
        counts = ", ".join(f"{count:,} {change}" for change, count in report.forwards.items())
        click.echo(f"Triggers for other sessions, which were not folded with them: {counts}.")
    for expression, times in sorted(report.failures.items(), key=lambda one: (-one[1], one[0])):
        print_line(f"Counted as false, {times:,} times, because it could not be evaluated: {expression}")
    if report.refused:
        click.echo(f"{report.refused:,} replays, skips or other operations would have been refused.")


def print_difference(difference: SessionDifference) -> None:
    """Print a session with one line for each run that changes."""
    click.secho(f"\nsession {printable(difference.session)}", bold=True)
    for change in difference.changes:
        text = f"  {sign_of(change)} {change_words(change)}"
        click.secho(printable(text), fg=_COLOURS.get(change.change, "yellow"))
        for line in change_details(change):
            print_line(f"      {line}")
    for line in remark_lines(difference):
        print_line(f"  {line}")
