"""`triggers capture`: sessions as files that replay anywhere."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

import click

from triggers.analysis.capsules import SUFFIX, capture
from triggers.cli.log_options import events_of_each, log_options
from triggers.cli.settings_options import settings_of

_LONGEST_NAME = 200


@click.command("capture")
@click.argument("sessions", nargs=-1, required=True)
@click.option("--mask", "masked", multiple=True, help="Replace the values of this name, at any depth. Repeatable.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="A folder: one file a session.")
@log_options
@click.pass_context
def capture_command(  # noqa: PLR0913, PLR0917  # one for each option
    ctx: click.Context,
    sessions: tuple[str, ...],
    masked: tuple[str, ...],
    into: Path | None,
    file: Path | None,
    rules: bytes | None,
) -> None:
    """Print SESSION as a capsule: its events and configurations, what each was decided to do, and what it came to.

    `triggers verify` and pytest replay it, here and elsewhere. The same session gives the same bytes.
    """
    if into is None and len(sessions) > 1:
        raise click.UsageError("--into FOLDER for more than one session")
    for session, events in events_of_each(settings_of(ctx), sessions, file, rules).items():
        capsule = capture(session, events, masked)
        if into is None:
            click.get_binary_stream("stdout").write(capsule)
        else:
            into.mkdir(parents=True, exist_ok=True)
            (into / file_name(session)).write_bytes(capsule)


def file_name(session: str) -> str:
    """A name for the capsule's file, of its own for every session."""
    name = quote(session, safe=" ")
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{blake2b(session.encode(), digest_size=8).hexdigest()}"
    return name + SUFFIX
