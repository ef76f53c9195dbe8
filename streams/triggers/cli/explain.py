"""`triggers explain` explains the state of a session."""

from __future__ import annotations

import click

from triggers.analysis.explain.explanation_text import explanation_lines
from triggers.analysis.explain.proofs import explain
from triggers.analysis.input_file import InputFile
from triggers.cli.log_options import log_options, session_events
from triggers.cli.option_types import SessionUid
from triggers.cli.output import json_option, print_json, print_line
from triggers.cli.settings_options import command_settings


@click.command("explain")
@click.argument("session", type=SessionUid())
@click.argument("task", required=False)
@log_options
@json_option
@click.pass_context
def explain_command(
    ctx: click.Context, session: str, task: str | None, file: InputFile | None, rules: bytes | None, as_json: bool
) -> None:
    """Explain SESSION, or one TASK of it: why each instance runs, waits or does not run, and what each event did.

    The command reads the session's events and folds them again. It asks the owning worker for their offsets, and reads
    the whole partition if no worker answers. It changes nothing.
    """
    explanation = explain(session, session_events(command_settings(ctx), session, file, rules), task)
    if as_json:
        print_json(explanation)
    else:
        for line in explanation_lines(explanation):
            print_line(line)
