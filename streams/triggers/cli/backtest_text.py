"""A back-test as people read it."""

from __future__ import annotations

from collections.abc import Iterator

import click
import msgspec

from triggers.analysis.backtest.assumptions import Known
from triggers.analysis.backtest.difference import Change, RunDifference, SessionDifference, ShownRun
from triggers.analysis.backtest.report import Report
from triggers.analysis.times import moment
from triggers.analysis.view_changes import changes_between
from triggers.cli.output import print_table

_WIDEST = 400
_SIGNS = {Change.ADDED: "+", Change.REMOVED: "-"}
_COLOURS = {Change.ADDED: "green", Change.REMOVED: "red"}


def print_report(report: Report) -> None:
    """Counts, then the sessions that are shown."""
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
    click.echo(f"Results of the runs under the new rules: {'; '.join(known) or 'there are none'}.")
    if report.doubtful:
        click.echo(f"In {report.doubtful:,} sessions, tasks wait for an unknown result; they are not judged.")
    if report.refused:
        click.echo(f"{report.refused:,} operations of operators would have been refused.")


def print_difference(difference: SessionDifference) -> None:
    """A session, a line for each run that changes."""
    click.secho(f"\nsession {difference.session}", bold=True)
    for change in difference.changes:
        text = f"  {_SIGNS.get(change.change, '~')} {_words(change)}{'' if change.judged else ' (not judged)'}"
        click.secho(text, fg=_COLOURS.get(change.change, "yellow"))
        for line in _details(change):
            click.echo(f"      {line}")
    if difference.unjudged:
        click.echo(f"  not judged, for they wait for an unknown result: {', '.join(difference.unjudged)}")


def _words(change: RunDifference) -> str:
    old, new = change.old, change.new
    if old is None or new is None:
        return _run(new or old)
    match change.change:
        case Change.KWARGS:
            return f"{new.instance} has other kwargs{_known(new)}"
        case Change.TARGET:
            return f"{new.instance} runs {_target(new)} instead of {_target(old)}"
        case Change.TIMING:
            return f"{new.instance} at {moment(new.time)} instead of {moment(old.time)}"
        case _:
            return f"{new.instance} comes before a run that it came after"


def _details(change: RunDifference) -> Iterator[str]:
    """Of kwargs that are different: what is new, what is gone, what is something else."""
    if change.change is Change.KWARGS and change.old is not None and change.new is not None:
        for one in changes_between(change.old.kwargs, change.new.kwargs):
            if one.before is None or one.after is None:
                yield f"{'+' if one.before is None else '-'} {one.place}: {_short(one.after or one.before)}"
            else:
                yield f"  {one.place}: {_short(one.before)} → {_short(one.after)}"


def _run(run: ShownRun | None) -> str:
    return "" if run is None else f"{run.instance} at {moment(run.time)} {_short(run.kwargs)}{_known(run)}"


def _known(run: ShownRun) -> str:
    return "" if run.result in {None, Known.RECORDED} else f" (result: {run.result})"


def _target(run: ShownRun) -> str:
    return run.run if run.using is None else f"{run.run} using {run.using}"


def _short(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
