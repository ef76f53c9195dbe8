"""`triggers graph` draws rules or a session."""

from __future__ import annotations

import click

from triggers.analysis.graph.causes import SessionCauses, causes_of, picture_of_session
from triggers.analysis.graph.dot import dot
from triggers.analysis.graph.mermaid import MAX_EDGES, mermaid
from triggers.analysis.graph.picture import Picture
from triggers.analysis.graph.rules import picture_of_rules
from triggers.analysis.graph.svg import svg
from triggers.analysis.input_file import InputFile
from triggers.cli.ignored_options import is_given, refuse_ignored
from triggers.cli.log_options import log_options, session_events
from triggers.cli.option_types import JsonObject, SessionUid
from triggers.cli.output import json_option, print_json
from triggers.cli.settings_options import command_settings
from triggers.core.config import compile_plan, validate_configuration

_LANGUAGES = {"mermaid": mermaid, "dot": dot, "svg": svg}


@click.command("graph")
@click.argument("new_rules", metavar="[RULES.json]", type=JsonObject(), required=False)
@click.option("--session", type=SessionUid(), help="Draw the causes of each instance of this session instead of rules.")
@click.option("--instance", help="With --session: draw only this instance and its causes.")
@click.option(
    "--format", "language", type=click.Choice(list(_LANGUAGES)), default="mermaid", show_default=True,
    help="Language of the picture: mermaid, dot or svg.",
)  # fmt: skip
@log_options
@json_option
@click.pass_context
def graph_command(
    ctx: click.Context,
    new_rules: bytes | None,
    session: str | None,
    instance: str | None,
    language: str,
    file: InputFile | None,
    rules: bytes | None,
    as_json: bool,
) -> None:
    """Draw RULES.json (triggers, tasks, and what waits for what) or the causes of each instance of a session.

    The picture of a session has the events and operations that caused a run, and the results that tasks passed on to
    other tasks. --json prints the same as data, with the events that led to each instance across all cascades.
    """
    if (new_rules is None) == (session is None):
        raise click.UsageError("give either RULES.json or --session")
    if session is None:
        refuse_ignored(ctx, "needs --session", "instance", "file", "rules")
    if is_given(ctx, "as_json"):
        refuse_ignored(ctx, "does not go with --json, which prints data and no picture", "language")
    if new_rules is not None:
        validate_configuration(new_rules)
        picture = picture_of_rules(compile_plan(new_rules), "rules")
        _print(picture, language, picture if as_json else None)
    elif session is not None:
        causes = causes_of(session, session_events(command_settings(ctx), session, file, rules), instance)
        _print(
            picture_of_session(causes, session),
            language,
            SessionCauses(session=session, instances=causes) if as_json else None,
        )


def _print(picture: Picture, language: str, data: object) -> None:
    if data is not None:
        print_json(data)
        return
    if language == "mermaid" and len(picture.edges) > MAX_EDGES:
        click.echo(
            f"{len(picture.edges)} edges: Mermaid draws at most {MAX_EDGES}; raise its setting maxEdges.", err=True
        )
    click.echo(_LANGUAGES[language](picture), nl=False)
