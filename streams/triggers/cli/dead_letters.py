"""`triggers dead-letters` lists, shows and redrives records that could not be decoded or applied."""

from __future__ import annotations

import click

from triggers.analysis.times import moment
from triggers.cli.option_types import CoordinatesType
from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import kafka_settings
from triggers.cli.suggesting_group import SuggestingGroup
from triggers.client.dead_letters import DeadLetters, StoredLetter
from triggers.errors import CallError

reason_option = click.option("--reason", help="Only dead letters with this reason.")


@click.group("dead-letters", cls=SuggestingGroup)
def dead_letters_command() -> None:
    """List, show and redrive records that could not be decoded or applied."""


@dead_letters_command.command("list")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of dead letters.")
@reason_option
@json_option
@click.pass_context
def list_letters(ctx: click.Context, limit: int, reason: str | None, as_json: bool) -> None:
    """List the newest dead letters."""
    newest = DeadLetters(kafka_settings(ctx, "dead_letters")).read_newest(limit, reason)
    if as_json:
        print_json([_plain(stored) for stored in newest])
        return
    rows = [
        (f"{s.partition}/{s.offset}", s.letter.reason, _text(s.letter.key, 40), _origin(s), s.letter.detail[:80])
        for s in newest
    ]
    print_table(("coordinates", "reason", "session", "original record", "detail"), rows)


@dead_letters_command.command("show")
@click.argument("place", type=CoordinatesType(), metavar="COORDINATES")
@json_option
@click.pass_context
def show_letter(ctx: click.Context, place: tuple[int, int], as_json: bool) -> None:
    """Show a dead letter and its original record. `list` prints the COORDINATES: <partition>/<offset>."""
    stored = DeadLetters(kafka_settings(ctx, "dead_letters")).read_letter(*place)
    if as_json:
        print_json(_plain(stored))
        return
    letter = stored.letter
    rows = [
        ("reason", letter.reason),
        ("detail", letter.detail),
        ("original record", _origin(stored)),
        ("time (UTC)", moment(letter.time)),
        ("key", _text(letter.key)),
        ("value", _text(letter.value)),
        *((f"header {name}", _text(value)) for name, value in letter.headers),
    ]
    print_table(("", ""), rows, f"Dead letter {place[0]}/{place[1]}")


@dead_letters_command.command("redrive")
@click.argument("places", type=CoordinatesType(), nargs=-1, metavar="[COORDINATES]...")
@click.option("--all", "every", is_flag=True, help="Redrive all dead letters.")
@reason_option
@json_option
@click.pass_context
def redrive(
    ctx: click.Context, places: tuple[tuple[int, int], ...], every: bool, reason: str | None, as_json: bool
) -> None:
    """Publish the original records of dead letters again: those at COORDINATES, all of a --reason, or --all.

    Remove the cause first: a record that still cannot be applied becomes a new dead letter.
    """
    if not (places or every or reason):
        raise CallError("name the dead letters: COORDINATES, --reason or --all")
    letters = DeadLetters(kafka_settings(ctx, "dead_letters"))
    chosen = [letters.read_letter(*place) for place in places] if places else _matching(letters, reason)
    for stored in chosen:
        letters.redrive_letter(stored.letter)
    if as_json:
        print_json({"redriven": [f"{stored.partition}/{stored.offset}" for stored in chosen]})
    else:
        click.echo(f"Redrove {len(chosen)} records.")


def _matching(letters: DeadLetters, reason: str | None) -> list[StoredLetter]:
    return [stored for stored in letters.read_all() if reason in {None, stored.letter.reason}]


def _plain(stored: StoredLetter) -> dict[str, object]:
    letter = stored.letter
    return {
        "place": f"{stored.partition}/{stored.offset}",
        "reason": letter.reason,
        "detail": letter.detail,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": letter.time,
        "key": _text(letter.key),
        "value": _text(letter.value),
        "headers": [[name, _text(value)] for name, value in letter.headers],
    }


def _origin(stored: StoredLetter) -> str:
    return f"{stored.letter.topic} {stored.letter.partition}/{stored.letter.offset}"


def _text(data: bytes | None, longest: int | None = None) -> str | None:
    """Decode bytes for display; escape those that are not UTF-8."""
    return None if data is None else data.decode(errors="backslashreplace")[:longest]
