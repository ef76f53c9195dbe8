"""Prints the report of a back-test as text."""

from __future__ import annotations

import click

from triggers.analysis.backtest.change_words import change_details, change_words, sign_of
from triggers.analysis.backtest.difference import Change, SessionDifference
from triggers.analysis.backtest.report import Report
from triggers.cli.output import print_table

_COLOURS = {Change.ADDED: "green", Change.REMOVED: "red"}


def print_report(report: Report) -> None:
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


def _print_assumptions(report: Report) -> None:
    known = [f"{count:,} {how}" for how, count in sorted(report.results.items(), key=lambda one: -one[1])]
    click.echo(f"Results of the runs under the new rules: {'; '.join(known) or 'none'}.")
    if report.doubtful:
        click.echo(
            f"In {report.doubtful:,} sessions some tasks are not judged because they wait for an unknown result."
        )
    if report.refused:
        click.echo(f"{report.refused:,} replays, skips or other operations would have been refused.")


def print_difference(difference: SessionDifference) -> None:
    """Print a session with one line for each run that changes."""
    click.secho(f"\nsession {difference.session}", bold=True)
    for change in difference.changes:
        text = f"  {sign_of(change)} {change_words(change)}"
        click.secho(text, fg=_COLOURS.get(change.change, "yellow"))
        for line in change_details(change):
            click.echo(f"      {line}")
    if difference.unjudged:
        click.echo(f"  not judged because they wait for an unknown result: {', '.join(difference.unjudged)}")
