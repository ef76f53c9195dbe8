"""`triggers rules` publishes rules, and shows what has been published."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec
from msgspec import Raw
from msgspec.structs import replace

from triggers.analysis.times import moment
from triggers.analysis.view_changes import changes_between
from triggers.cli.operator_events import actor_name
from triggers.cli.option_types import RulesName
from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.rules_adopt import adopt
from triggers.cli.rules_publish import publish
from triggers.cli.settings_options import kafka_settings
from triggers.cli.show import print_changes
from triggers.cli.suggesting_group import SuggestingGroup
from triggers.client.published_rules import StreamRules, find_version, newest_versions, versions_of
from triggers.core.events import RulesPublished
from triggers.core.kwargs import split_members
from triggers.core.published_rules import KEEP


@click.group("rules", cls=SuggestingGroup)
def rules_command() -> None:
    """Publish rules that sessions take automatically, and show what has been published."""


rules_command.add_command(publish)
rules_command.add_command(adopt)


@rules_command.command("list")
@json_option
@click.pass_context
def list_rules(ctx: click.Context, as_json: bool) -> None:
    """List all published rules, each with its newest version."""
    publications = StreamRules(kafka_settings(ctx, "rules")).publications()
    _print_versions(newest_versions(publications), as_json)


@rules_command.command("history")
@click.argument("name", type=RulesName())
@json_option
@click.pass_context
def history(ctx: click.Context, name: str, as_json: bool) -> None:
    """List all versions of the rules NAME, the oldest first."""
    _print_versions(_versions(ctx, name), as_json)


@rules_command.command("show")
@click.argument("name", type=RulesName())
@click.option("--version", type=click.IntRange(1), help="Version to show. Default: the newest one.")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, version: int | None, as_json: bool) -> None:
    """Print the configuration of the rules NAME as JSON, as `triggers check` and `rules publish` read it.

    With --json, print all fields of the version.
    """
    event = find_version(_versions(ctx, name), version)
    print_json(_fields(event) if as_json else Raw(event.configuration))


@rules_command.command("diff")
@click.argument("name", type=RulesName())
@click.argument("versions", metavar="[BEFORE [AFTER]]", nargs=-1, type=click.IntRange(1))
@json_option
@click.pass_context
def diff(ctx: click.Context, name: str, versions: tuple[int, ...], as_json: bool) -> None:
    """Print what changed between two versions of the rules NAME. Default: the two newest ones."""
    if len(versions) > 2:
        raise click.UsageError("give at most two versions")
    published = _versions(ctx, name)
    after = find_version(published, versions[1] if len(versions) > 1 else None)
    before = find_version(published, versions[0] if versions else max(after.version - 1, 1))
    print_changes(changes_between(_compared(before), _compared(after)), as_json)


@rules_command.command("retire")
@click.argument("name", type=RulesName())
@json_option
@click.pass_context
def retire(ctx: click.Context, name: str, as_json: bool) -> None:
    """Publish a version of the rules NAME that new sessions no longer take by their UID or by default.

    Sessions that have the rules keep them, and an event can still name them.
    """
    settings = kafka_settings(ctx, "rules")
    rules = StreamRules(settings, source="cli")
    newest = versions_of(rules.publications(), name)[-1]
    published = rules.publish(replace(newest, match=[], is_default=False, existing=KEEP, actor=actor_name(settings)))
    if as_json:
        print_json({"name": name, "version": (published or newest).version, "changed": published is not None})
    elif published is None:
        click.echo(f"The rules {name!r} are retired already (version {newest.version}).")
    else:
        click.echo(f"Retired the rules {name!r} with version {published.version}.")


def _versions(ctx: click.Context, name: str) -> list[RulesPublished]:
    return versions_of(StreamRules(kafka_settings(ctx, "rules")).publications(), name)


def _compared(event: RulesPublished) -> dict[str, object]:
    flags: dict[str, object] = {"match": event.match, "is_default": event.is_default, "locked": event.locked}
    return flags | dict(msgspec.json.decode(event.configuration))


def _fields(event: RulesPublished) -> dict[str, object]:
    return {
        "name": event.name,
        "version": event.version,
        "configuration": Raw(event.configuration),
        "match": event.match,
        "is_default": event.is_default,
        "existing": event.existing,
        "locked": event.locked,
        "time": event.time,
        "source": event.source,
        "actor": event.actor,
    }


def _print_versions(versions: Sequence[RulesPublished], as_json: bool) -> None:
    if as_json:
        print_json([_fields(event) for event in versions])
        return
    columns = ("rules", "version", "match", "default", "existing", "locked", "tasks", "published (UTC)")
    print_table(columns, [_row(event) for event in versions])


def _row(event: RulesPublished) -> tuple[object, ...]:
    tasks = sum(not name.startswith("$") for name in split_members(event.configuration))
    words = ("yes" if event.is_default else "", event.existing, "yes" if event.locked else "")
    return event.name, event.version, "\n".join(event.match), *words, tasks, moment(event.time)
