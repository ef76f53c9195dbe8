"""The program `triggers`: global options, commands by name, errors as one line and an exit code."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import click

from triggers.errors import CallError, NotFound, TriggersError, TryAgain

COMMANDS = {
    "dev": "triggers.cli.dev",
    "demo": "triggers.cli.demo",
    "worker": "triggers.cli.worker",
    "dispatcher": "triggers.cli.dispatcher",
    "topics": "triggers.cli.topics",
    "fire": "triggers.cli.fire",
    "configure": "triggers.cli.configure",
    "show": "triggers.cli.show",
    "list": "triggers.cli.list",
    "replay": "triggers.cli.operate",
    "skip": "triggers.cli.operate",
    "dead-letters": "triggers.cli.dead_letters",
    "verify": "triggers.cli.verify",
    "completion": "triggers.cli.completion",
}
"""Command -> module; the module has it under its own name, with `_` for `-` and `_command` behind."""

EXIT_CODES = {CallError: 2, NotFound: 3, TryAgain: 4}
"""1 is for a check that failed, 130 for Ctrl-C."""


class Program(click.Group):
    """Imports a command's module when the command is used; knows the nearest command to a misspelt one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """See click."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """See click."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name])
        command: click.Command = getattr(module, cmd_name.replace("-", "_") + "_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if near := get_close_matches(args[0], COMMANDS, n=1):
                error.message += f" Did you mean {near[0]!r}?"
            raise

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # click's signature
        """See click; our errors are one line and an exit code, never a traceback."""
        try:
            return super().main(*args, **kwargs)
        except TriggersError as error:
            click.echo(f"Error: {error}", err=True)
            raise SystemExit(exit_code(error)) from error


def exit_code(error: TriggersError) -> int:
    """What the shell is told of an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--brokers", envvar="TRIGGERS_BROKERS", show_envvar=True, help="Kafka bootstrap servers, host:port,…")
@click.option("--namespace", envvar="TRIGGERS_NAMESPACE", show_envvar=True, help="Prefix of all topics and groups.")
@click.version_option(package_name="kafka-triggers", prog_name="triggers")
@click.pass_context
def main(ctx: click.Context, brokers: str | None, namespace: str | None) -> None:
    """Session-scoped rules that run Celery tasks, on Kafka.

    Every setting has an environment variable TRIGGERS_*; docs/settings.md lists them.
    """
    ctx.obj = {"brokers": brokers, "namespace": namespace}


def command_names() -> Sequence[str]:
    """All commands, for the docs' tests."""
    return list(COMMANDS)
