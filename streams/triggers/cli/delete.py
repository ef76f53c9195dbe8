"""`triggers delete` deletes sessions."""

from __future__ import annotations

import click

from triggers.cli.bulk import Bulk, bulk_options, repair_many
from triggers.cli.operator_events import operator_publisher
from triggers.cli.option_types import SessionUid
from triggers.cli.output import json_option, print_json
from triggers.cli.settings_options import kafka_settings
from triggers.client.session_reader import SessionReader
from triggers.core.events import DeletionRequested
from triggers.errors import SessionNotFound
from triggers.jobs.records import Action, JobChange


@click.command("delete")
@click.argument("session", type=SessionUid(), default="")
@bulk_options
@json_option
@click.pass_context
def delete_command(ctx: click.Context, session: str, bulk: Bulk | None, as_json: bool) -> None:
    """Delete everything in SESSION, and wait until it is gone.

    Running tasks continue, but their results change nothing. Past events stay in the topic until its retention ends.
    A later event begins a new session with the same UID.

    With --where, delete all sessions that the filter finds.
    """
    if bulk is not None:
        repair_many(ctx, JobChange(action=Action.DELETE), bulk, as_json=as_json)
        return
    settings = kafka_settings(ctx)
    reader = SessionReader(settings)
    view = reader.read(session)
    if not ctx.params["yes"] and not as_json:
        unresolved = len(view.unresolved_instances)
        click.confirm(f"Delete {session!r}, {len(view.instances)} instances, {unresolved} unresolved?", abort=True)
    where = operator_publisher(settings).publish(session, DeletionRequested())
    try:
        reader.read(session, where)
    except SessionNotFound:
        pass  # the session is gone
    else:
        raise click.ClickException(
            f"{session!r} exists again: it was deleted, but an application still publishes events to it"
        )
    if as_json:
        print_json({"session": session, "partition": where.partition, "offset": where.offset})
    else:
        click.echo(f"Deleted {session!r} at {where.partition}/{where.offset}.")
