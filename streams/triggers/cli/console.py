"""`triggers console` serves sessions, analyses and repairs to a browser."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import click

from triggers.analysis.input_file import InputFile
from triggers.cli.finished_commands import finished_of_executors
from triggers.cli.log_options import every_event, log_options
from triggers.cli.operator_events import actor_name
from triggers.cli.settings_options import command_settings, require_kafka, require_permissions, setting
from triggers.console import (
    Access,
    FileSource,
    KafkaSource,
    Source,
    authentication_of,
    read_secret,
    serve,
)
from triggers.errors import TryAgain
from triggers.overview.installation import InstallationReader, KafkaInstallation
from triggers.settings import Settings
from triggers.telemetry.logs import configure_logging
from triggers.telemetry.tracing import export_spans


@click.command("console")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=6080, show_default=True, help="HTTP port; 0 takes a free port."
)
@click.option("--read-only", is_flag=True, help="Show no buttons, and refuse all changes.")
@click.option("--url", default="", help="Address under which browsers reach it, such as https://triggers.example.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    help="File with a random secret that signs logins, so that they outlive this process and hold on other consoles"
    " with the same file. Default: logins end with this process.",
)
@setting("api_token_file", "File with the tokens of the HTTP API.", flag="--token-file")
@log_options
@click.pass_context
def console_command(
    ctx: click.Context,
    host: str,
    port: int,
    read_only: bool,
    url: str,
    secret_file: Path | None,
    file: InputFile | None,
    rules: bytes | None,
) -> None:
    """Serve pages about sessions and rules until Ctrl-C, with buttons that repair sessions.

    With tokens, as for the HTTP API, users log in with one. Without tokens, everybody who reaches a console on this
    machine may change sessions, and a console on another address is read-only. docs/console.md says more.

    With --from, it shows the sessions of a recorded log or a capsule and needs no Kafka.
    """
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        raise click.UsageError(f"--url is {url!r}; it must be an address such as https://triggers.example")
    settings = command_settings(ctx)
    configure_logging(settings)
    export_spans("triggers-console")
    authentication = authentication_of(settings)
    secret = b"" if secret_file is None else read_secret(secret_file)
    with _listen(host, port) as listening:
        is_local = ip_address(listening.getsockname()[0]).is_loopback
        access = Access(
            authentication, actor=actor_name(settings), is_local=is_local, read_only=read_only, url=url, secret=secret
        )
        source, installation = _opened(settings, file, rules, read_only=access.is_read_only)
        shown, how = (
            url or f"http://{host}:{listening.getsockname()[1]}/",
            _describe(access, is_recorded=installation is None),
        )
        click.echo(f"Console at {shown} ({how}; press Ctrl-C to stop)")
        serve(source, listening, settings, access, installation)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise click.UsageError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error


def _opened(
    settings: Settings, file: InputFile | None, rules: bytes | None, *, read_only: bool
) -> tuple[Source, InstallationReader | None]:
    if file is not None or rules is not None:
        return FileSource(every_event(settings, file, rules)), None
    try:
        require_kafka(settings)
        require_permissions(settings, "console" if read_only else "api")
    except TryAgain as error:  # the console may start before its broker
        click.echo(f"Warning: {error}", err=True)
    return KafkaSource(settings), KafkaInstallation(settings, finished_of_executors())


def _describe(access: Access, *, is_recorded: bool) -> str:
    """Returns who may do what, for the line that the command prints."""
    who = "with tokens" if access.needs_login else "without tokens"
    return f"{who}, read-only" if access.is_read_only or is_recorded else who
