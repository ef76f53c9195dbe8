"""`triggers migrate` moves sessions from the cache of the Triggers framework into the stream."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triggers.analysis.input_file import InputFile
from triggers.cli.ignored_options import refuse_ignored
from triggers.cli.operator_events import actor_name
from triggers.cli.option_types import Input
from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.progress import show_count
from triggers.cli.settings_options import kafka_settings
from triggers.errors import CallError, NotFound
from triggers.redaction import without_secrets
from triggers.registry import storage_backends

if TYPE_CHECKING:
    from triggers.storages.contract import Storage
    from triggers.storages.migration import Moved


@click.command("migrate")
@click.argument("sessions", nargs=-1)
@click.option("--from", "source", type=Input(), help="File of UIDs, one per line; - is standard input.")
@click.option("--storage", default="cache", show_default=True, help="Registered key of the storage with the sessions.")
@click.option("--cache", default="default", show_default=True, help="Name of the storage's cache in Django's CACHES.")
@click.option("--apply", "really", is_flag=True, help="Move the sessions. Without it, only report what would be moved.")
@click.option("--reissue", is_flag=True, help="Run scheduled and running instances again instead of refusing them.")
@json_option
@click.pass_context
def migrate_command(
    ctx: click.Context,
    sessions: tuple[str, ...],
    source: InputFile | None,
    storage: str,
    cache: str,
    really: bool,
    reissue: bool,
    as_json: bool,
) -> None:
    """Move sessions from a Django cache into the stream. Without --apply, only report what would be moved.

    SESSIONS are UIDs. Django finds its settings by DJANGO_SETTINGS_MODULE. First stop every process that writes to the
    sessions. Nothing is deleted. Moving a session again changes nothing, so repeat the command after an interruption.
    """
    if storage != "cache":
        refuse_ignored(ctx, "needs --storage cache; other storages have no cache", "cache")
    from triggers.storages.migration import DONE, Migration

    uids = list(dict.fromkeys([*sessions, *_lines(source)]))
    if not uids:
        raise CallError("name the sessions: give their UIDs, or --from FILE")
    settings = kafka_settings(ctx)
    actor = actor_name(settings)
    migration = Migration(settings, lambda uid: _open(storage, uid, cache), reissue=reissue, actor=actor)
    report = [migration.move(uid, dry_run=not really) for uid in show_count(uids, "moving", len(uids), every=1)]
    _print(report, really=really, as_json=as_json)
    if any(moved.result not in DONE for moved in report):
        ctx.exit(1)


def _lines(source: InputFile | None) -> Iterator[str]:
    """Yield the UIDs. Only line ends and empty lines are left out, because a UID may begin or end with a space."""
    if source is None:
        return
    for number, line in enumerate(source.lines(), 1):
        try:
            uid = line.rstrip(b"\r\n").decode()
        except UnicodeDecodeError as error:
            raise CallError(f"{source.name}, line {number}: {error.reason} in UTF-8") from error
        if uid.strip():
            yield uid


def _open(storage: str, uid: str, cache: str) -> Storage:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    arguments = {"cache": cache} if storage == "cache" else {}
    try:
        opened: Storage = storage_backends.get(storage, uid, **arguments)
    except NotFound:
        raise
    except Exception as error:
        raise CallError(f"--storage {storage} --cache {cache}: {without_secrets(str(error))}") from error
    return opened


def _print(report: list[Moved], *, really: bool, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    rows = [(m.session, m.result, m.instances, m.unresolved, m.detail) for m in report]
    print_table(("session", "result", "instances", "unresolved", "detail"), rows)
    if not really:
        click.echo("This was a dry run: nothing was moved. Add --apply to move the sessions.")
