"""`triggers show` shows one session."""

from __future__ import annotations

import click
from msgspec import Raw

from triggers.analysis.input_file import InputFile
from triggers.analysis.time_travel import NOW, Moment, view_at
from triggers.analysis.times import moment
from triggers.analysis.view_changes import ChangedValue, changes_between, value_words
from triggers.cli.log_options import log_options, session_events
from triggers.cli.option_types import CoordinatesType, MomentType, SessionUid
from triggers.cli.output import cell, console, json_option, print_json, print_line, print_table, rules_words
from triggers.cli.settings_options import command_settings, require_kafka
from triggers.client import SessionReader
from triggers.core.exception_view import ExceptionView
from triggers.core.statuses import Status
from triggers.core.view import InstanceView, SessionView, TaskView
from triggers.kafka.sender import Coordinates

_WIDEST = 60
_BESIDE = ("within", "delay", "deadline", "cancelOn", "retry", "timeouts", "queue")
"""The directives of edition 2 that are shown below the name of the Celery task."""
_TRACEBACK_LINES = 12


@click.command("show")
@click.argument("session", type=SessionUid())
@click.option(
    "--after",
    type=CoordinatesType(),
    help="Wait until the record at these coordinates, as `fire` prints them, is applied.",
)
@click.option("--at", type=MomentType(), help="Show the session as it was after this offset or at this time.")
@click.option("--diff", type=MomentType(), nargs=2, help="Show what changed between two offsets or times.")
@log_options
@json_option
@click.pass_context
def show_command(
    ctx: click.Context,
    session: str,
    after: Coordinates | None,
    at: Moment | None,
    diff: tuple[Moment, Moment] | None,
    file: InputFile | None,
    rules: bytes | None,
    as_json: bool,
) -> None:
    """Show SESSION: tasks, instances, statuses, kwargs, timestamps. The command asks the owning worker.

    With --at, --diff or --from it reads the session's events and folds them again.
    """
    if sum(option is not None for option in (after, at, diff)) > 1:
        raise click.UsageError("--after, --at and --diff exclude each other")
    if after is not None and file is not None:
        raise click.UsageError("--after waits for a worker, and --from asks none; give one of them")
    settings = command_settings(ctx)
    if at is None and diff is None and file is None and rules is None:
        require_kafka(settings)
        _print(SessionReader(settings).read(session, after), as_json)
        return
    events = session_events(settings, session, file, rules)
    if diff is None:
        _print(view_at(session, events, at or NOW), as_json)
    else:
        before, later = (view_at(session, events, moment) for moment in diff)
        print_changes(changes_between(before, later), as_json)


def _print(session: SessionView, as_json: bool) -> None:
    if as_json:
        print_json(session)
    else:
        print_session(session)


def print_changes(changes: list[ChangedValue], as_json: bool) -> None:
    """Print one line for each value that was added (+), removed (-) or changed."""
    if as_json:
        print_json(changes)
        return
    for change in changes:
        print_line(_change(change))
    if not changes:
        click.echo("Nothing changed.")


def _change(change: ChangedValue) -> str:
    before, after = (_cut(value_words(change.path, value), 2 * _WIDEST) for value in (change.before, change.after))
    if change.before is None:
        return f"+ {change.path}: {after}"
    return f"- {change.path}: {before}" if change.after is None else f"  {change.path}: {before} → {after}"


def print_session(session: SessionView) -> None:
    """Print the session as tables."""
    console().print(f"Session [bold]{cell(session.uid)}[/]")
    print_line(
        f"{session.events} events, from {moment(session.created)} to {moment(session.modified)} (UTC);"
        f" unresolved tasks: {', '.join(session.unresolved_tasks) or 'none'}"
    )
    if session.rules:
        pending = f"; {session.rules.pending}" if session.rules.pending else ""
        print_line(f"published rules: {rules_words(session.rules)}{pending}")
    columns = ("task", "after", "andEvery", "unless", "run", "instances", "unresolved")
    print_table(columns, [_task(task, session.edition) for task in session.tasks], "Tasks")
    print_table(("instance", "status", "kwargs", "result", "timestamps"), map(_row, session.instances), "Instances")
    print_table(("trigger", "kwargs"), [(t, _short(k)) for t, k in session.latest_kwargs.items()], "Latest kwargs")
    for instance in session.instances:
        if instance.status == Status.FAILED and instance.exception is not None:
            _print_exception(instance.name, instance.exception)


def _print_exception(name: str, exception: ExceptionView) -> None:
    """Print why an instance is failed: the exception, and the end of its traceback."""
    click.echo()
    print_line(f"{name} failed with {exception.type}{': ' if exception.message else ''}{_line(exception.message)}")
    left_out = len(exception.traceback) - _TRACEBACK_LINES
    if left_out > 0:
        lines = "1 line is" if left_out == 1 else f"{left_out} lines are"
        click.echo(f"  … {lines} left out; --json has all of them")
    for line in exception.traceback[-_TRACEBACK_LINES:]:
        print_line(f"  {line}")


def _task(task: TaskView, edition: int) -> tuple[object, ...]:
    """Returns the row of a task. Conditions of edition 2 are shown as they are written, and times below the task."""
    after, every, unless = (_written(task, name) for name in ("after", "andEvery", "unless"))
    times = [f"{name}: {_short(task.extra[name])}" for name in _BESIDE if edition == 2 and name in task.extra]
    conditions = (after or task.after, every or task.and_every, unless or task.unless)
    return (task.name, *conditions, [task.run, *times], task.instances, task.unresolved)


def _written(task: TaskView, directive: str) -> str:
    """Returns a condition of edition 2 as JSON; empty if it is a list of triggers, or of edition 1."""
    return _short(task.extra[directive]) if directive in task.extra else ""


def _row(instance: InstanceView) -> tuple[object, ...]:
    kwargs = [f"{trigger}: {_short(value)}" for trigger, value in instance.kwargs.items()]
    stamps = sorted(instance.timestamps.items(), key=lambda stamp: stamp[1])
    times = [f"created {moment(instance.created)}", *(f"{name} {moment(at)}" for name, at in stamps)]
    times += [f"{kind} due {moment(due)}" for kind, due in sorted(instance.timers.items(), key=lambda timer: timer[1])]
    return instance.name, instance.status, kwargs, _outcome(instance), times


def _outcome(instance: InstanceView) -> list[str]:
    lines = [f"result: {_short(instance.metadata['result'])}"] if "result" in instance.metadata else []
    if (exception := instance.exception) is not None:
        lines.append(exception.type)
        lines += [_cut(_line(exception.message), 2 * _WIDEST)] if exception.message else []
        lines += [f"context: {_short(exception.context)}"] if bytes(exception.context) != b"{}" else []
    return lines


def _line(text: str) -> str:
    return " ".join(text.split())


def _short(value: Raw) -> str:
    return _cut(bytes(value).decode(), _WIDEST)


def _cut(text: str, widest: int) -> str:
    return text if len(text) <= widest else text[: widest - 1] + "…"
