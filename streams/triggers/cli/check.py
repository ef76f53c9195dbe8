"""`triggers check` finds mistakes in rules before anything runs."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable, Sequence

import click
import msgspec

from triggers.analysis.check.declared import declared_events, declared_triggers
from triggers.analysis.check.findings import KINDS, CheckFinding, Severity
from triggers.analysis.check.order_findings import explored_words
from triggers.analysis.check.orders import MAX_WORLDS, WALKS, Budget
from triggers.analysis.check.rules import Arrivals, Checked, check_rules
from triggers.analysis.check.sarif import sarif
from triggers.analysis.check.worlds import FiredMove, Results
from triggers.analysis.input_file import InputFile
from triggers.cli.ignored_options import refuse_ignored
from triggers.cli.option_types import Input
from triggers.cli.output import json_option, print_json, print_line

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


class Ignored(click.ParamType):
    """A finding to leave out: RULE for all tasks, or RULE:TASK for one."""

    name = "RULE[:TASK]"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        rule, _, task = value.partition(":")
        if rule not in KINDS:
            self.fail(f"{rule!r} is not the rule of a finding; choose one of {', '.join(KINDS)}", param, ctx)
        return rule, task


@click.command("check")
@click.argument("files", metavar="RULES.json…", nargs=-1, required=True, type=Input())
@click.option(
    "--triggers",
    "declarations",
    multiple=True,
    metavar="NAME|FILE",
    help="Triggers that the application fires: a name, a file with a JSON list of names, or a log of events."
    " Repeatable.",
)
@click.option("--ignore", "ignored", multiple=True, type=Ignored(), help="Finding to ignore. Repeatable.")
@click.option(
    "--fail-on",
    type=click.Choice([*(str(severity) for severity in Severity), "never"]),
    default=str(Severity.WARNING),
    show_default=True,
    help="Lowest severity for which the exit code is 1.",
)
@click.option(
    "--orders/--no-orders", default=True, help="Explore the orders in which events can arrive. Default: --orders."
)
@click.option(
    "--events",
    multiple=True,
    metavar="NAME|JSON|FILE",
    help="Events whose orders are explored: a trigger, an event in JSON, or a log of one session. Repeatable."
    " Default: every trigger once, and the trigger of an `andEvery` twice.",
)
@click.option(
    "--results",
    type=click.Choice([str(when) for when in Results]),
    default=str(Results.AT_ONCE),
    show_default=True,
    help="When tasks finish: before the next event (at-once), or between any two events (any-time).",
)
@click.option(
    "--worlds",
    default=MAX_WORLDS,
    show_default=True,
    help="Maximum number of states of a task to explore. Beyond it, orders are sampled.",
)
@click.option("--walks", default=WALKS, show_default=True, help="Number of orders in a sample.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print SARIF 2.1.0, for code hosts and editors.")
@json_option
@click.pass_context
def check_command(
    ctx: click.Context,
    files: tuple[InputFile, ...],
    declarations: tuple[str, ...],
    ignored: tuple[tuple[str, str], ...],
    fail_on: str,
    orders: bool,
    events: tuple[str, ...],
    results: str,
    worlds: int,
    walks: int,
    as_sarif: bool,
    as_json: bool,
) -> None:
    """Check the rules in RULES.json, a configuration as `configure` takes it, without running them.

    The check finds rules that the engine refuses; tasks that can never run, never end or are never abandoned;
    and names that look misspelt. It also finds tasks that are order-sensitive: the order of arrival decides whether
    they run, how often, or with which kwargs. docs/analysis.md lists all findings. The exit code is 1 if there is a
    finding of the severity --fail-on or above.
    """
    if not orders:
        refuse_ignored(ctx, "does not go with --no-orders, which explores none", "events", "results", "worlds", "walks")
    if as_sarif:
        refuse_ignored(ctx, "does not go with --sarif, which is a JSON document of its own", "as_json")
    declared = declared_triggers(declarations) if declarations else None
    explored = declared_events(events) if events else None
    arrivals = Arrivals(events=explored, results=Results(results), budget=Budget(worlds, walks)) if orders else None
    by_file = {file.name: _without_ignored(check_rules(file.read(), declared, arrivals), ignored) for file in files}
    _print_unused(by_file, explored or ())
    if as_sarif:
        findings = {file: checked.findings for file, checked in by_file.items()}
        print_json(sarif(findings, importlib.metadata.version("kafka-triggers")))
    elif as_json:
        print_json([{"file": file, **msgspec.structs.asdict(checked)} for file, checked in by_file.items()])
    else:
        _print(by_file)
    failing = [one for checked in by_file.values() for one in checked.findings if _counts(one, fail_on)]
    sys.exit(1 if failing else 0)


def _without_ignored(checked: Checked, ignored: Sequence[tuple[str, str]]) -> Checked:
    findings = [
        one for one in checked.findings if (one.rule, "") not in ignored and (one.rule, one.task or "") not in ignored
    ]
    return Checked(findings=findings, orders=checked.orders)


def _print_unused(by_file: dict[str, Checked], events: Iterable[FiredMove]) -> None:
    for file, checked in by_file.items():
        used = {event for orders in checked.orders for event in orders.events}
        unused = [repr(str(event)) for event in events if str(event) not in used]
        if checked.orders and unused:
            click.echo(f"{file}: no rule uses {', '.join(unused)} of --events", err=True)


def _counts(one: CheckFinding, fail_on: str) -> bool:
    return fail_on != "never" and one.severity.at_least(Severity(fail_on))


def _print(by_file: dict[str, Checked]) -> None:
    for file, checked in by_file.items():
        for one in checked.findings:
            _print_finding(file, one)
        if checked.orders:
            print_line(f"{file}: {explored_words(checked.orders)}")
    findings = [one for checked in by_file.values() for one in checked.findings]
    counts = {severity: sum(one.severity == severity for one in findings) for severity in Severity}
    click.echo(", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in counts.items()))


def _print_finding(file: str, one: CheckFinding) -> None:
    where = click.style(f"{file}:{one.location.line}:{one.location.column}", bold=True)
    click.echo(f"{where}: {click.style(one.severity, fg=_COLOURS[one.severity])} {one.rule}")
    for line in (one.message, *(f"  {detail}" for detail in one.details), f"fix: {one.fix}"):
        print_line(f"  {line}")
