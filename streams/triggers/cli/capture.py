"""`triggers capture` writes sessions as capsules: files that replay anywhere."""

from __future__ import annotations

from pathlib import Path

import click

from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.capsules import capture, file_name
from triggers.cli.log_options import events_by_session, log_options
from triggers.cli.option_types import SessionUid
from triggers.cli.settings_options import command_settings


@click.command("capture")
@click.argument("sessions", type=SessionUid(), nargs=-1, required=True)
@click.option("--mask", "masked", multiple=True, help="Key whose values are masked at any depth. Repeatable.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder into which one file per session is written. Default: print the capsule.",
)
@log_options
@click.pass_context
def capture_command(
    ctx: click.Context,
    sessions: tuple[str, ...],
    masked: tuple[str, ...],
    into: Path | None,
    file: InputFile | None,
    rules: bytes | None,
) -> None:
    """Print a session as a capsule: its events and configurations, the decision on each event, and the final state.

    `triggers verify` and pytest replay a capsule on any machine. The same session gives the same bytes.
    """
    if into is None and len(sessions) > 1:
        raise click.UsageError("more than one session needs --into FOLDER")
    for session, events in events_by_session(command_settings(ctx), sessions, file, rules).items():
        capsule = capture(session, events, masked)
        if into is None:
            click.get_binary_stream("stdout").write(capsule)
        else:
            into.mkdir(parents=True, exist_ok=True)
            (into / file_name(session)).write_bytes(capsule)
