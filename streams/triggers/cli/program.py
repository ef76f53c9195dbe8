"""The program `triggers`: global options, commands by name, errors as one line and an exit code."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from triggers.cli.suggesting_group import SuggestingGroup
from triggers.errors import CallError, NotFound, TriggersError, TryAgain
from triggers.settings import PREFIX


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: the module that has it as `<name>_command`, and its line in the list of commands."""

    module: str
    text: str


COMMANDS = {
    "dev": Entry("triggers.cli.dev", "The whole stack on this machine, until Ctrl-C."),
    "demo": Entry("triggers.cli.demo", "The questionnaire on a real Kafka, checked from its databases."),
    "worker": Entry("triggers.cli.worker", "Agents: keep sessions, evaluate rules, emit commands."),
    "dispatcher": Entry("triggers.cli.dispatcher", "Move commands into a Celery app's own broker."),
    "hooks": Entry("triggers.cli.hooks", "Run managers' hooks, behind the decision feed."),
    "topics": Entry("triggers.cli.topics", "Make and check the topics, measure consumer lag."),
    "fire": Entry("triggers.cli.fire", "Fire a trigger, or a file of them."),
    "configure": Entry("triggers.cli.configure", "Add rules to a session."),
    "show": Entry("triggers.cli.show", "One session: tasks, instances, statuses, kwargs."),
    "list": Entry("triggers.cli.list", "Sessions by UID."),
    "replay": Entry("triggers.cli.operate", "Run a failed instance again."),
    "skip": Entry("triggers.cli.operate", "Resolve a failed instance without running it."),
    "delete": Entry("triggers.cli.delete", "Delete a session."),
    "migrate": Entry("triggers.cli.migrate", "Live sessions from a Django cache into the stream."),
    "dead-letters": Entry("triggers.cli.dead_letters", "Records that could not be decoded or applied."),
    "explain": Entry("triggers.cli.explain", "Why a session is where it is, and what each event did."),
    "stats": Entry("triggers.cli.stats", "What rules and triggers came to, and what stuck sessions miss."),
    "export": Entry("triggers.cli.export", "Events as JSON lines."),
    "check": Entry("triggers.cli.check", "What is wrong with rules, before anything runs."),
    "graph": Entry("triggers.cli.graph", "Rules, or what caused what in a session, as a picture."),
    "backtest": Entry("triggers.cli.backtest", "What other rules would have done to recorded sessions."),
    "console": Entry("triggers.cli.console", "Sessions and analyses in a browser and over HTTP."),
    "capture": Entry("triggers.cli.capture", "Sessions as files that replay anywhere."),
    "verify": Entry("triggers.cli.verify", "Capsules and recorded histories against this engine."),
    "completion": Entry("triggers.cli.completion", "Completion for bash, zsh or fish."),
}
"""In the order of `--help`, which imports none of the modules."""

EXIT_CODES = {CallError: 2, NotFound: 3, TryAgain: 4}
"""1 is for a check that failed."""
INTERRUPTED = 130
"""After Ctrl-C, as shells have it."""


class Program(SuggestingGroup):
    """Imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """See click."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """See click."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name].module)
        command: click.Command = getattr(module, cmd_name.replace("-", "_") + "_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """See click."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.text) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's signature
        """See click, whose own code for Ctrl-C is that of a check that failed."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)

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


@click.group(
    cls=Program,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "auto_envvar_prefix": PREFIX.rstrip("_"),
    },
)
@click.option("--brokers", envvar="TRIGGERS_BROKERS", show_envvar=True, help="Kafka bootstrap servers, host:port,…")
@click.option("--namespace", envvar="TRIGGERS_NAMESPACE", show_envvar=True, help="Prefix of all topics and groups.")
@click.version_option(package_name="kafka-triggers", prog_name="triggers", allow_from_autoenv=False)
@click.pass_context
def main(ctx: click.Context, brokers: str | None, namespace: str | None) -> None:
    """Session-scoped rules that run Celery tasks, on Kafka.

    Every setting has an environment variable TRIGGERS_*; docs/settings.md lists them. So has every other option:
    TRIGGERS_<COMMAND>_<OPTION>, for example TRIGGERS_LIST_LIMIT.

    \b
    Exit codes: 0 done, 1 a check failed, 2 fix the call, 3 there is nothing of that name,
    4 try again, 130 Ctrl-C.
    """
    ctx.obj = {"brokers": brokers, "namespace": namespace}


def command_names() -> Sequence[str]:
    """All commands, for the docs' tests."""
    return list(COMMANDS)
