"""`triggers check`: what is wrong with rules before anything runs."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from triggers.analysis.check.declared import declared_triggers
from triggers.analysis.check.findings import KINDS, Finding, Severity
from triggers.analysis.check.rules import check_rules
from triggers.analysis.check.sarif import sarif
from triggers.cli.output import json_option, print_json

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


class Ignored(click.ParamType):
    """RULE, or RULE:TASK."""

    name = "RULE[:TASK]"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """See click."""
        if isinstance(value, tuple):
            return value
        rule, _, task = value.partition(":")
        if rule not in KINDS:
            self.fail(f"{rule!r} is no rule; there are {', '.join(KINDS)}", param, ctx)
        return rule, task


@click.command("check")
@click.argument("files", metavar="RULES.json…", nargs=-1, required=True, type=_FILE)
@click.option(
    "--triggers",
    "declarations",
    multiple=True,
    metavar="NAME|FILE",
    help="What the application fires: a name, a file with a JSON list of names, or a log of events. Repeatable.",
)
@click.option("--ignore", "ignored", multiple=True, type=Ignored(), help="Do not tell these findings. Repeatable.")
@click.option(
    "--fail-on",
    type=click.Choice([*(str(severity) for severity in Severity), "never"]),
    default=str(Severity.WARNING),
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@click.option("--sarif", "as_sarif", is_flag=True, help="Print SARIF 2.1.0, for code hosts and editors.")
@json_option
def check_command(  # noqa: PLR0913, PLR0917  # one for each option
    files: tuple[Path, ...],
    declarations: tuple[str, ...],
    ignored: tuple[tuple[str, str], ...],
    fail_on: str,
    as_sarif: bool,
    as_json: bool,
) -> None:
    """Check rules without running them: RULES.json as `configure` takes it.

    Tells what the engine would refuse, tasks that can never run, never end or are never abandoned as they say, and
    names that look misspelt. docs/analysis.md lists all findings. Exit code 1 if there is one that counts.
    """
    declared = declared_triggers(declarations) if declarations else None
    found = {str(path): _told(check_rules(path.read_bytes(), declared), ignored) for path in files}
    if as_sarif:
        print_json(sarif(found, importlib.metadata.version("kafka-triggers")))
    elif as_json:
        print_json([{"file": file, "findings": findings} for file, findings in found.items()])
    else:
        _print(found)
    counted = [one for findings in found.values() for one in findings if _counts(one, fail_on)]
    sys.exit(1 if counted else 0)


def _told(found: list[Finding], ignored: Sequence[tuple[str, str]]) -> list[Finding]:
    return [one for one in found if (one.rule, "") not in ignored and (one.rule, one.task or "") not in ignored]


def _counts(one: Finding, fail_on: str) -> bool:
    return fail_on != "never" and one.severity.at_least(Severity(fail_on))


def _print(found: dict[str, list[Finding]]) -> None:
    for file, findings in found.items():
        for one in findings:
            where = click.style(f"{file}:{one.place.line}:{one.place.column}", bold=True)
            click.echo(f"{where}: {click.style(one.severity, fg=_COLOURS[one.severity])} {one.rule}")
            click.echo(f"  {one.message}\n  fix: {one.fix}")
    everything = [one for findings in found.values() for one in findings]
    counts = {severity: sum(one.severity == severity for one in everything) for severity in Severity}
    click.echo(", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in counts.items()))
