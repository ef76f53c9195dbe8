"""`triggers export` prints events as JSON lines."""

from __future__ import annotations

import click

from triggers.cli.option_types import SessionUid
from triggers.cli.progress import show_count
from triggers.cli.settings_options import kafka_settings
from triggers.client.session_events import SessionEvents
from triggers.codec.event_lines import encode_line


@click.command("export")
@click.argument("sessions", type=SessionUid(), nargs=-1)
@click.pass_context
def export_command(ctx: click.Context, sessions: tuple[str, ...]) -> None:
    """Print the events of SESSIONS as JSON lines; without SESSIONS, print all events on the topic.

    Each line has the session, the event, its offset and its time. The events of a session are in their order. Commands
    with --from read such a file. Records that became dead letters are not included.
    """
    settings = kafka_settings(ctx, "events", "dead_letters")
    source, out = SessionEvents(settings), click.get_binary_stream("stdout")
    named = source.read_sessions(sessions).items() if sessions else ()
    wanted = ((uid, event) for uid, events in named for event in events) if sessions else source.read_all()
    for session, event in show_count(wanted, "exporting"):
        out.write(encode_line(session, event) + b"\n")
    out.flush()
