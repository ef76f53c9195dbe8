"""`triggers show`: one session."""

from __future__ import annotations

import click
from msgspec import Raw

from triggers.cli.output import cell, console, json_option, moment, print_json, print_table
from triggers.cli.place_option import Place
from triggers.cli.settings_options import settings_of
from triggers.client import SessionReader
from triggers.client.kafka_sender import Coordinates
from triggers.core.view import InstanceView, SessionView

_WIDEST = 60


@click.command("show")
@click.argument("session")
@click.option("--after", type=Place(), help="Wait until this record is applied: the place that `fire` printed.")
@json_option
@click.pass_context
def show_command(ctx: click.Context, session: str, after: Coordinates | None, as_json: bool) -> None:
    """Show SESSION: tasks, instances, statuses, kwargs, timestamps. Asks the worker that owns it."""
    found = SessionReader(settings_of(ctx)).read(session, after)
    if as_json:
        print_json(found)
    else:
        print_session(found)


def print_session(session: SessionView) -> None:
    """The session as tables."""
    console().print(f"Session [bold]{cell(session.uid)}[/]")
    click.echo(
        f"{session.events} events, from {moment(session.created)} to {moment(session.modified)} (UTC);"
        f" unresolved tasks: {', '.join(session.unresolved_tasks) or 'none'}"
    )
    columns = ("task", "after", "andEvery", "unless", "run", "instances", "unresolved")
    tasks = [
        (t.name, _names(t.after), t.and_every, _names(t.unless), t.run, t.instances, t.unresolved)
        for t in session.tasks
    ]
    print_table(columns, tasks, "Tasks")
    print_table(("instance", "status", "kwargs", "result", "timestamps"), map(_row, session.instances), "Instances")
    print_table(("trigger", "kwargs"), [(t, _short(k)) for t, k in session.latest_kwargs.items()], "Latest kwargs")


def _row(instance: InstanceView) -> tuple[object, ...]:
    kwargs = "\n".join(f"{trigger}: {_short(value)}" for trigger, value in instance.kwargs.items())
    stamps = sorted(instance.timestamps.items(), key=lambda stamp: stamp[1])
    times = "\n".join((f"created {moment(instance.created)}", *(f"{name} {moment(at)}" for name, at in stamps)))
    return instance.name, instance.status, kwargs, _outcome(instance), times


def _outcome(instance: InstanceView) -> str:
    keys = ("result", "exceptionType", "exceptionContext")
    return "\n".join(f"{key}: {_short(instance.metadata[key])}" for key in keys if key in instance.metadata)


def _names(triggers: list[str]) -> str:
    return "\n".join(triggers)


def _short(value: Raw) -> str:
    text = bytes(value).decode()
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
