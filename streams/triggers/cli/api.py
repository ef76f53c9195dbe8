"""`triggers api` serves the HTTP API and creates its tokens."""

from __future__ import annotations

import os
from pathlib import Path

import click

from triggers.api import authentication_of, listen, make_token, parse_scopes, serve, token_line
from triggers.cli.finished_commands import finished_of_executors
from triggers.cli.interruption import stop_by_signals
from triggers.cli.output import json_option, print_json
from triggers.cli.settings_options import command_settings, require_kafka, require_permissions, setting
from triggers.cli.suggesting_group import SuggestingGroup
from triggers.errors import CallError, TryAgain
from triggers.telemetry.logs import configure_logging
from triggers.telemetry.tracing import export_spans


@click.group("api", cls=SuggestingGroup)
def api_command() -> None:
    """Serve the HTTP API, and create tokens for it."""


@api_command.command("serve")
@setting("api_host", "Address to listen on.", flag="--host")
@setting("api_port", "HTTP port; 0 takes a free port.", flag="--port")
@setting("api_token_file", "File with tokens, as `api token` writes it. Default: no tokens.", flag="--token-file")
@click.pass_context
def serve_api(ctx: click.Context) -> None:
    """Serve the HTTP API until Ctrl-C: fire triggers, read, explain and repair sessions.

    Without tokens, it accepts requests from this machine only. docs/http-api.md describes the API, and /openapi.json
    lists all operations.
    """
    stop_by_signals()
    settings = command_settings(ctx)
    configure_logging(settings)
    export_spans("triggers-api")
    authentication = authentication_of(settings)
    listening = listen(settings, authentication)
    try:
        require_kafka(settings)
        require_permissions(settings, "api")
    except TryAgain as error:  # the API may start before its broker
        click.echo(f"Warning: {error}", err=True)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    access = "with tokens" if authentication.needs_tokens else "without tokens, for this machine only"
    click.echo(f"API at http://{shown}:{port}/ ({access}; press Ctrl-C to stop)")
    serve(settings, authentication, listening, finished=finished_of_executors())


@api_command.command("token")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    help="Scope of the token: ingest, read, operate or admin. Repeatable.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=0.0,
    help="Maximum number of requests and events per second. Default: TRIGGERS_API_RATE.",
)
@click.option(
    "--add-to",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of tokens to which the line is added, such as that of TRIGGERS_API_TOKEN_FILE. Default: print the line.",
)
@json_option
def make_api_token(name: str, scopes: tuple[str, ...], rate: float, path: Path | None, as_json: bool) -> None:
    """Create a token for NAME, an application or a person, and print it once.

    The line with its hash belongs in the file of tokens; --add-to adds it. NAME is recorded as the actor of everything
    that is done with the token. `operate` includes `read`, and `admin` includes everything.
    """
    token = make_token()
    line = token_line(name, parse_scopes(list(scopes), "--scope"), token, rate)
    if path is not None:
        _add_line(path, name, line)
    if as_json:
        print_json({"name": name, "token": token, "line": line})
        return
    click.echo(f"Token (it is shown only now): {token}")
    click.echo(f"Added to {path}." if path is not None else f"Line for TRIGGERS_API_TOKEN_FILE: {line}")


def _add_line(path: Path, name: str, line: str) -> None:
    """Adds a line to the file of tokens; creates the file for its owner only."""
    try:
        text = path.read_text() if path.exists() else ""
        if any(words[:1] == [name] for words in map(str.split, text.splitlines())):
            raise CallError(f"{path} has a token of {name!r} already; remove its line first, or choose another name")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a") as file:
            file.write(("" if not text or text.endswith("\n") else "\n") + line + "\n")
    except OSError as error:
        raise CallError(f"cannot write {path}: {error.strerror}") from error
