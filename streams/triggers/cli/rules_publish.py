"""`triggers rules publish` checks rules and publishes them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NoReturn

import click
from msgspec.structs import replace

from triggers.analysis.backtest.assumptions import Assumptions, NewRules
from triggers.analysis.backtest.report import Backtest, scope_of
from triggers.analysis.check.findings import CheckFinding, Severity
from triggers.analysis.check.rules import check_rules
from triggers.analysis.event_log import GroupedLog
from triggers.cli.ignored_options import refuse_ignored
from triggers.cli.operator_events import actor_name
from triggers.cli.option_types import JsonObject, PointInTime, RulesName
from triggers.cli.output import json_option, print_json
from triggers.cli.rules_watch import WatchedRules, check_watchable
from triggers.cli.settings_options import command_settings, require_kafka
from triggers.client.published_rules import StreamRules, newest_of
from triggers.client.session_events import SessionEvents
from triggers.client.session_reader import SessionReader
from triggers.codec import check_event
from triggers.core.config import validate_configuration
from triggers.core.events import Event, RulesPublished
from triggers.core.published_rules import ADOPT, KEEP, Catalog, catalog_entry, check_publication, next_version
from triggers.errors import TriggersError
from triggers.settings import Settings

_POLL_INTERVAL_S: Final = 0.5


class CheckFailed(TriggersError):
    """`triggers check` finds an error in the rules. The program ends with the exit code 1."""


@click.command("publish")
@click.argument("name", type=RulesName())
@click.argument("rules", metavar="RULES.json")
@click.option(
    "--match",
    multiple=True,
    metavar="UID|PATTERN*",
    help="UID or pattern of the new sessions that take the rules. Repeatable.",
)
@click.option("--default", "is_default", is_flag=True, help="New sessions that match no other rules take these.")
@click.option(
    "--existing",
    type=click.Choice([KEEP, ADOPT]),
    default=KEEP,
    show_default=True,
    help="Whether sessions with an earlier version keep it, or adopt this one at their next event.",
)
@click.option("--locked", is_flag=True, help="Refuse updates of the configuration of sessions with the rules.")
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
@click.option(
    "--watch",
    is_flag=True,
    help="Publish again whenever the file changes, until Ctrl-C. For development; `triggers dev` uses it.",
)
@json_option
@click.pass_context
def publish(
    ctx: click.Context,
    name: str,
    rules: str,
    match: tuple[str, ...],
    is_default: bool,
    existing: str,
    locked: bool,
    dry_run: bool,
    since: int | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Publish RULES.json under NAME. New sessions take them before their first event is applied.

    The rules are checked first, as by `triggers check`; with an error, the exit code is 1 and nothing is published.
    One record goes to every partition of the events, all in one transaction. Publishing the same again changes nothing;
    other rules become the next version.
    """
    event = RulesPublished(
        name=name,
        version=0,
        configuration=b"{}",
        match=list(match),
        is_default=is_default,
        existing=existing,
        locked=locked,
    )
    _refuse_ignored(ctx, watch, since)
    settings = command_settings(ctx)
    if watch:
        _watch(settings, event, rules, as_json)
    event = _with_checked(event, JsonObject().convert(rules, None, ctx), settings)
    require_kafka(settings, "rules")
    if since is not None:
        _backtest(settings, event, since, as_json)
    elif dry_run:
        _print_plan(settings, event, as_json)
    else:
        _publish(settings, event, as_json)


def _refuse_ignored(ctx: click.Context, watch: bool, since: int | None) -> None:
    if watch:
        refuse_ignored(ctx, "does not go with --watch", "dry_run", "since")
    if since is not None:
        refuse_ignored(ctx, "does not go with --backtest", "dry_run")


def _with_checked(event: RulesPublished, rules: bytes, settings: Settings) -> RulesPublished:
    """Returns the event with these rules.

    Raises CheckFailed if `triggers check` finds an error in them, and CallError for the rest of the publication.
    """
    validate_configuration(rules)
    errors = [finding for finding in check_rules(rules).findings if finding.severity is Severity.ERROR]
    if errors:
        raise CheckFailed("nothing is published:\n" + "\n".join(map(_words, errors)))
    event = replace(event, configuration=rules)
    as_first = replace(event, version=1)  # only Kafka knows the version
    check_publication(as_first)
    check_event(as_first, settings.max_payload_bytes)
    return event


def _watch(settings: Settings, event: RulesPublished, file: str, as_json: bool) -> NoReturn:
    """Publishes the rules in the file now and after each of its changes. Wrong rules are reported and not published."""
    path = Path(file.removeprefix("@"))
    check_watchable(path)
    watched = WatchedRules(path, lambda rules: _publish(settings, _with_checked(event, rules, settings), as_json))
    while True:
        watched.check()
        time.sleep(_POLL_INTERVAL_S)


def _words(finding: CheckFinding) -> str:
    lines = (f"error {finding.rule}: {finding.message}", *finding.details, f"fix: {finding.fix}")
    return "\n  ".join(lines)


def _publish(settings: Settings, event: RulesPublished, as_json: bool) -> None:
    published = StreamRules(settings, source="cli").publish(replace(event, actor=actor_name(settings)))
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

    publications = StreamRules(settings).publications()
    others = [each for each in publications if each.name != event.name]
    newest = newest_of(publications, event.name)
    new = next_version(newest, event) or newest or event  # without an edition, it has that of the newest version
    backtest = Backtest(NewRules(rules=new.configuration), Assumptions(), scope_of(since, None))
    with GroupedLog() as log:
        backtest.gather(_events_of_affected(event, others, SessionEvents(settings).read_all()), log)
        for _ in backtest.differences(log, lambda _: None):
            pass
    report = backtest.report()
    if as_json:
        print_json(report)
    else:
        print_report(report)


def _events_of_affected(
    event: RulesPublished, others: Iterable[RulesPublished], events: Iterable[tuple[str, Event]]
) -> Iterator[tuple[str, Event]]:
    """Yields the events of sessions that have taken the rules, or would take them as new sessions."""
    catalog = Catalog([catalog_entry(each, b"") for each in (*others, event)])
    taken: set[str] = set()
    for uid, each in events:
        if isinstance(each, RulesPublished) and each.name == event.name:
            taken.add(uid)
        chosen = catalog.rules_for(uid)
        if uid in taken or (chosen is not None and chosen.name == event.name):
            yield uid, each
