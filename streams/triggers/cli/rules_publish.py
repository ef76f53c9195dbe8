"""`triggers rules publish` checks rules and publishes them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from triggers.analysis.backtest.assumptions import Assumptions, NewRules
from triggers.analysis.backtest.report import Backtest, scope_of
from triggers.analysis.check.findings import Finding, Severity
from triggers.analysis.check.rules import check_rules
from triggers.analysis.event_log import GroupedLog
from triggers.cli.option_types import JsonObject, PointInTime
from triggers.cli.output import json_option, print_json
from triggers.cli.settings_options import command_settings
from triggers.client.published_rules import StreamRules, newest_of
from triggers.client.session_events import SessionEvents
from triggers.client.session_reader import SessionReader
from triggers.core.config import compile_plan, validate_configuration
from triggers.core.events import Event, RulesPublished
from triggers.core.published import ADOPT, KEEP, Catalog, entry_of, next_version
from triggers.settings import Settings


@click.command("publish")
@click.argument("name")
@click.argument("rules", metavar="RULES.json", type=JsonObject())
@click.option(
    "--match", multiple=True, metavar="UID|PATTERN*", help="New sessions that take the rules by themselves. Repeatable."
)
@click.option("--default", "is_default", is_flag=True, help="New sessions that nothing matches take the rules.")
@click.option(
    "--existing",
    type=click.Choice([KEEP, ADOPT]),
    default=KEEP,
    show_default=True,
    help="Whether sessions with an earlier version keep it, or adopt this one at their next event.",
)
@click.option("--locked", is_flag=True, help="Sessions with the rules refuse updates of their configuration.")
@click.option(
    "--dry-run", is_flag=True, help="Publish nothing. Print the version and how many sessions would adopt it."
)
@click.option(
    "--backtest",
    "since",
    type=PointInTime(),
    help="Publish nothing. Print what would have been different in sessions with an event since this time; 7d counts"
    " back from the newest event.",
)
@json_option
@click.pass_context
def publish(  # noqa: PLR0913, PLR0917  # one for each option
    ctx: click.Context,
    name: str,
    rules: bytes,
    match: tuple[str, ...],
    is_default: bool,
    existing: str,
    locked: bool,
    dry_run: bool,
    since: int | None,
    as_json: bool,
) -> None:
    """Publish RULES.json under NAME: new sessions take them by themselves, before their first event is applied.

    The rules are checked first, as by `triggers check`; with an error, the exit code is 1 and nothing is published.
    One record goes to every partition of the events, all in one transaction. Publishing the same again changes nothing;
    other rules become the next version.
    """
    _refuse_errors(rules)
    event = RulesPublished(
        name=name,
        version=0,
        configuration=rules,
        match=list(match),
        is_default=is_default,
        existing=existing,
        locked=locked,
    )
    settings = command_settings(ctx)
    if since is not None:
        _backtest(settings, event, since, as_json)
    elif dry_run:
        _print_plan(settings, event, as_json)
    else:
        _publish(settings, event, as_json)


def _refuse_errors(rules: bytes) -> None:
    validate_configuration(rules)
    if compile_plan(rules).rules is not None:
        return  # validating is all that `check` does for rules of edition 2
    errors = [finding for finding in check_rules(rules).findings if finding.severity is Severity.ERROR]
    for finding in errors:
        click.echo(_words(finding), err=True)
    if errors:
        sys.exit(1)


def _words(finding: Finding) -> str:
    lines = (f"error {finding.rule}: {finding.message}", *finding.details, f"fix: {finding.fix}")
    return "\n  ".join(lines)


def _publish(settings: Settings, event: RulesPublished, as_json: bool) -> None:
    published = StreamRules(settings, source="cli").publish(event)
    if as_json:
        version = None if published is None else published.version
        print_json({"name": event.name, "version": version, "changed": published is not None})
    elif published is None:
        click.echo(f"The rules {event.name!r} are published already; nothing has changed.")
    else:
        click.echo(f"Published version {published.version} of the rules {event.name!r}.")


def _print_plan(settings: Settings, event: RulesPublished, as_json: bool) -> None:
    version = next_version(newest_of(StreamRules(settings).publications(), event.name), event)
    counts = SessionReader(settings).rules_counts() if version is not None and version.existing == ADOPT else []
    adopting = sum(each.sessions for each in counts if each.name == event.name)
    if as_json:
        number = None if version is None else version.version
        print_json({"name": event.name, "version": number, "changed": version is not None, "adopting": adopting})
    elif version is None:
        click.echo(f"The rules {event.name!r} are published already; nothing would change.")
    else:
        click.echo(f"Would publish version {version.version} of the rules {event.name!r}.")
        click.echo(f"{adopting:,} existing sessions would adopt it, each at its next event.")


def _backtest(settings: Settings, event: RulesPublished, since: int, as_json: bool) -> None:
    from triggers.cli.backtest import print_report  # noqa: PLC0415  # imports the progress bar

    backtest = Backtest(NewRules(rules=event.configuration), Assumptions(), scope_of(since, None))
    others = [each for each in StreamRules(settings).publications() if each.name != event.name]
    with GroupedLog() as log:
        backtest.gather(_concerned(event, others, SessionEvents(settings).read_all()), log)
        for _ in backtest.differences(log, lambda _: None):
            pass
    report = backtest.report()
    if as_json:
        print_json(report)
    else:
        print_report(report)


def _concerned(
    event: RulesPublished, others: Iterable[RulesPublished], events: Iterable[tuple[str, Event]]
) -> Iterator[tuple[str, Event]]:
    """Yields the events of sessions that have taken the rules, or would take them as new sessions."""
    catalog = Catalog([entry_of(each, b"") for each in (*others, event)])
    taken: set[str] = set()
    for uid, each in events:
        if isinstance(each, RulesPublished) and each.name == event.name:
            taken.add(uid)
        chosen = catalog.rules_for(uid)
        if uid in taken or (chosen is not None and chosen.name == event.name):
            yield uid, each
