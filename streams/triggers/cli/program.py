"""The program `triggers`: its global options and commands. Errors are one line and an exit code."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from typing_extensions import override

from triggers.cli.printable import printable
from triggers.cli.suggesting_group import SuggestingGroup
from triggers.errors import AccessDenied, CallError, MissingExtra, NotFound, TriggersError, TryAgain
from triggers.settings import PREFIX


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: the module that defines it as `<name>_command`, and its line in the list of commands."""

    module: str
    text: str


COMMANDS = {
    "init": Entry("triggers.cli.init", "Start a project: rules, tasks, a test, a compose file."),
    "dev": Entry("triggers.cli.dev", "Run the whole stack on this machine until Ctrl-C."),
    "demo": Entry("triggers.cli.demo", "Run the questionnaire on a real Kafka and check its databases."),
    "worker": Entry("triggers.cli.worker", "Run agents: keep sessions, evaluate rules, issue commands."),
    "dispatcher": Entry("triggers.cli.dispatcher", "Move commands into a Celery app's own broker."),
    "hooks": Entry("triggers.cli.hooks", "Run managers' hooks for the decisions of the workers."),
    "topics": Entry("triggers.cli.topics", "Create and check topics, measure lag, print ACLs."),
    "doctor": Entry("triggers.cli.doctor", "Check everything that a deployment needs."),
    "fire": Entry("triggers.cli.fire", "Fire a trigger, or every trigger of a file."),
    "configure": Entry("triggers.cli.configure", "Add rules to a session."),
    "rules": Entry("triggers.cli.rules", "Publish rules that sessions take automatically."),
    "show": Entry("triggers.cli.show", "Show a session: tasks, instances, statuses, kwargs."),
    "list": Entry("triggers.cli.list", "Find sessions: failed, stuck, by task, exception or trigger."),
    "status": Entry("triggers.cli.status", "Count instances by task and status now, and say why some are failed."),
    "top": Entry("triggers.cli.top", "Show live what the installation does, and what is wrong."),
    "replay": Entry("triggers.cli.operate", "Run failed instances again, one or all that match."),
    "skip": Entry("triggers.cli.operate", "Resolve failed instances without running them."),
    "cancel": Entry("triggers.cli.operate", "End instances that wait, are scheduled or run."),
    "delete": Entry("triggers.cli.delete", "Delete a session, or all that match."),
    "jobs": Entry("triggers.cli.jobs", "Show, resume and cancel bulk repairs."),
    "migrate": Entry("triggers.cli.migrate", "Move sessions from a Django cache into the stream."),
    "copy": Entry("triggers.cli.copy", "Move an installation to another namespace, number of partitions or cluster."),
    "rebuild": Entry("triggers.cli.rebuild", "Write the changelog again from the events, or compare them."),
    "reserve-offsets": Entry("triggers.cli.reserve_offsets", "Continue from the changelog after the events were lost."),
    "dead-letters": Entry("triggers.cli.dead_letters", "List, redrive and discard records that could not be applied."),
    "explain": Entry("triggers.cli.explain", "Explain a session's state and what each event did."),
    "stats": Entry("triggers.cli.stats", "Count what rules and triggers did, find stuck sessions."),
    "export": Entry("triggers.cli.export", "Print events as JSON lines."),
    "check": Entry("triggers.cli.check", "Find mistakes in rules before anything runs."),
    "graph": Entry("triggers.cli.graph", "Draw rules, or the causes of a session's instances."),
    "backtest": Entry("triggers.cli.backtest", "Fold recorded sessions with other rules, and compare."),
    "api": Entry("triggers.cli.api", "Serve the HTTP API, make its tokens."),
    "console": Entry("triggers.cli.console", "Serve sessions and analyses to a browser and over HTTP."),
    "capture": Entry("triggers.cli.capture", "Write sessions as files that replay anywhere."),
    "verify": Entry("triggers.cli.verify", "Replay capsules and recorded histories, print differences."),
    "completion": Entry("triggers.cli.completion", "Print a completion script for bash, zsh or fish."),
}
"""The commands in the order of `--help`. Listing them imports none of the modules."""

EXIT_CODES = {AccessDenied: 2, CallError: 2, MissingExtra: 2, NotFound: 3, TryAgain: 4}
"""The exit code of each kind of error. Code 1 means that a check failed."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells define it."""


class Program(SuggestingGroup):
    """Imports a command's module when the command is used."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name].module)
        command: click.Command = getattr(module, cmd_name.replace("-", "_") + "_command")
        name_variables(command, cmd_name)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.text) for name, entry in COMMANDS.items()])

    @override
    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Ends with 130 after Ctrl-C; click's own code for it, 1, means that a check failed."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            error.message += _advise_double_dash(error)
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program. Prints our own errors as one line instead of a traceback."""
        try:
            return super().main(*args, **kwargs)
        except TriggersError as error:
            click.echo("\n".join(map(printable, f"Error: {error}".splitlines())), err=True)
            raise SystemExit(exit_code(error)) from error


def _advise_double_dash(error: click.NoSuchOption) -> str:
    """Return advice for a command with arguments: `--` goes before a name that begins with a dash."""
    if error.ctx is None or not any(isinstance(each, click.Argument) for each in error.ctx.command.params):
        return ""
    return f" (a name that begins with a dash goes after --: `{error.ctx.command_path} -- {error.option_name}…`)"


def exit_code(error: TriggersError) -> int:
    """Return the exit code of the program for an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--brokers",
    envvar="TRIGGERS_BROKERS",
    show_envvar=True,
    help="Kafka bootstrap servers, as comma-separated host:port. Default: localhost:9092.",
)
@click.option(
    "--namespace",
    envvar="TRIGGERS_NAMESPACE",
    show_envvar=True,
    help="Prefix of all topics and consumer groups. Default: triggers.",
)
@click.option(
    "--kafka-config-file",
    envvar="TRIGGERS_KAFKA_CONFIG_FILE",
    show_envvar=True,
    metavar="FILE",
    help="File of librdkafka properties for all Kafka clients, such as those of a secured cluster.",
)
@click.version_option(package_name="kafka-triggers", prog_name="triggers", allow_from_autoenv=False)
@click.pass_context
def main(ctx: click.Context, brokers: str | None, namespace: str | None, kafka_config_file: str | None) -> None:
    """Run Celery tasks according to session-scoped rules, on Kafka.

    Every setting has an environment variable TRIGGERS_*, which docs/settings.md lists. Every other option has one,
    too: TRIGGERS_<COMMAND>_<OPTION>, for example TRIGGERS_LIST_LIMIT.

    \b
    Exit codes: 0 done, 1 a check failed, 2 fix the call, 3 not found, 4 try again, 130 Ctrl-C.
    """
    ctx.obj = {"brokers": brokers, "namespace": namespace, "kafka_config_file": kafka_config_file}


def command_names() -> Sequence[str]:
    """Return the names of all commands, for the tests of the docs."""
    return list(COMMANDS)


def name_variables(command: click.Command, *path: str) -> None:
    """Give the options of the command at this path, and of its subcommands, their variables. Idempotent.

    An option that has a variable keeps it, such as that of a setting. click's own names for variables would be those of
    the parameters in Python, which often differ from the options because of Python's reserved and common names.
    """
    if isinstance(command, click.Group):
        for name, subcommand in command.commands.items():
            name_variables(subcommand, *path, name)
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None:
            flag = max(option.opts, key=len).lstrip("-")
            option.envvar = PREFIX + "_".join((*path, flag)).upper().replace("-", "_")
