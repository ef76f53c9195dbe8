"""`triggers delete`: the end of a session."""

from __future__ import annotations

import click

from triggers.cli.output import json_option, print_json
from triggers.cli.settings_options import settings_of
from triggers.client import KafkaPublisher
from triggers.client.session_reader import SessionReader
from triggers.core.events import DeletionRequested
from triggers.errors import SessionNotFound


@click.command("delete")
@click.argument("session")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def delete_command(ctx: click.Context, session: str, yes: bool, as_json: bool) -> None:
    """Delete everything in SESSION, and wait until it is gone.

    Tasks that run go on; their results change nothing. Past events stay in the topic for as long as it keeps them.
    A later event begins a new session of the same UID.
    """
    settings = settings_of(ctx)
    reader = SessionReader(settings)
    found = reader.read(session)
    if not yes and not as_json:
        unresolved = len(found.unresolved_instances)
        click.confirm(f"Delete {session!r}, {len(found.instances)} instances, {unresolved} unresolved?", abort=True)
    where = KafkaPublisher(settings, source="cli").publish(session, DeletionRequested())
    try:
        reader.read(session, where)
    except SessionNotFound:
        pass  # as it should be
    else:
        raise click.ClickException(f"{session!r} began anew at once: something still sends events to it")
    if as_json:
        print_json({"session": session, "partition": where.partition, "offset": where.offset})
    else:
        click.echo(f"Deleted {session!r} at {where.partition}/{where.offset}.")
