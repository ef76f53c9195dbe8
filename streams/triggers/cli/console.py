"""`triggers console` serves sessions and analyses to a browser."""

from __future__ import annotations

import socket

import click

from triggers.analysis.input_file import InputFile
from triggers.cli.finished_commands import finished_of_executors
from triggers.cli.log_options import every_event, log_options
from triggers.cli.settings_options import command_settings, require_kafka, require_permissions
from triggers.console import FileSource, InstallationReader, KafkaInstallation, KafkaSource, Source, serve
from triggers.errors import TryAgain
from triggers.settings import Settings
from triggers.telemetry.logs import configure_logging


@click.command("console")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on. There is no authentication."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=6080, show_default=True, help="HTTP port; 0 takes a free port."
)
@log_options
@click.pass_context
def console_command(ctx: click.Context, host: str, port: int, file: InputFile | None, rules: bytes | None) -> None:
    """Serve pages and an HTTP API about sessions and rules until Ctrl-C. The console only reads.

    With --from, it shows the sessions of a recorded log or a capsule and needs no Kafka.
    """
    settings = command_settings(ctx)
    configure_logging(settings)
    source, installation = _opened(settings, file, rules)
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise click.UsageError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
    click.echo(f"Console at http://{host}:{listening.getsockname()[1]}/ (press Ctrl-C to stop)")
    serve(source, listening, settings, installation)


def _opened(
    settings: Settings, file: InputFile | None, rules: bytes | None
) -> tuple[Source, InstallationReader | None]:
    if file is not None or rules is not None:
        return FileSource(every_event(settings, file, rules)), None
    try:
        require_kafka(settings)
        require_permissions(settings, "console")
    except TryAgain as error:  # the console may start before its broker
        click.echo(f"Warning: {error}", err=True)
    return KafkaSource(settings), KafkaInstallation(settings, finished_of_executors())
