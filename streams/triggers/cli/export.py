"""`triggers export`: events as JSON lines."""

from __future__ import annotations

import click

from triggers.cli.settings_options import settings_of
from triggers.client.session_events import SessionEvents
from triggers.codec.event_lines import encode_line


@click.command("export")
@click.argument("sessions", nargs=-1)
@click.pass_context
def export_command(ctx: click.Context, sessions: tuple[str, ...]) -> None:
    """Print the events of SESSIONS, or all that are on the topic, as JSON lines.

    A line has the session, the event, its offset and its time. The events of a session stand in their order. Commands
    with --from read such a file; what became a dead letter is not in it.
    """
    source, out = SessionEvents(settings_of(ctx)), click.get_binary_stream("stdout")
    named = source.of_each(sessions).items() if sessions else ()
    wanted = ((uid, event) for uid, events in named for event in events) if sessions else source.every()
    for session, event in wanted:
        out.write(encode_line(session, event) + b"\n")
    out.flush()
