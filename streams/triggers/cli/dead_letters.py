"""`triggers dead-letters` lists, shows and redrives records that could not be decoded or applied."""

from __future__ import annotations

import click

from triggers.analysis.times import moment
from triggers.cli.option_types import CoordinatesType
from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import kafka_settings
from triggers.cli.suggesting_group import SuggestingGroup
from triggers.client.dead_letters import DeadLetters, StoredLetter
from triggers.errors import CallError, IncompleteLetter

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
        (_coordinates(s), s.letter.reason, _text(s.letter.key, 40), _origin(s), s.letter.detail[:80]) for s in newest
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
        *([("missing", letter.missing)] if letter.missing else []),
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
    A dead letter that does not have the whole record is refused, and the others are redriven.
    """
    if sum(map(bool, (places, every, reason))) != 1:
        raise CallError("name the dead letters by one of COORDINATES, --reason and --all")
    letters = DeadLetters(kafka_settings(ctx, "dead_letters"))
    chosen = [letters.read_letter(*place) for place in places] if places else _matching(letters, reason)
    complete = [stored for stored in chosen if not stored.letter.missing]
    for stored in complete:
        letters.redrive_letter(stored.letter)
    if as_json:
        print_json({"redriven": [_coordinates(stored) for stored in complete]})
    else:
        click.echo(f"Redrove {len(complete)} records.")
    if incomplete := [stored for stored in chosen if stored.letter.missing]:
        raise IncompleteLetter(_describe_incomplete(incomplete))


def _matching(letters: DeadLetters, reason: str | None) -> list[StoredLetter]:
    return [stored for stored in letters.read_all() if reason in {None, stored.letter.reason}]


def _describe_incomplete(refused: list[StoredLetter]) -> str:
    parts = "; ".join(f"{_coordinates(stored)} (missing: {stored.letter.missing})" for stored in refused)
    return (
        f"dead letters without the whole record cannot be redriven: {parts}; publish these records again from where"
        " they came from"
    )


def _plain(stored: StoredLetter) -> dict[str, object]:
    letter = stored.letter
    return {
        "place": _coordinates(stored),
        "reason": letter.reason,
        "detail": letter.detail,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": letter.time,
        "key": _text(letter.key),
        "value": _text(letter.value),
        "headers": [[name, _text(value)] for name, value in letter.headers],
        "missing": letter.missing,
    }


def _coordinates(stored: StoredLetter) -> str:
    return f"{stored.partition}/{stored.offset}"


def _origin(stored: StoredLetter) -> str:
    return f"{stored.letter.topic} {stored.letter.partition}/{stored.letter.offset}"


def _text(data: bytes | None, longest: int | None = None) -> str | None:
    """Decode bytes for display; escape those that are not UTF-8."""
    return None if data is None else data.decode(errors="backslashreplace")[:longest]
