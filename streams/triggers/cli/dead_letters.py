"""`triggers dead-letters` lists, shows, redrives and discards records that could not be decoded or applied."""

from __future__ import annotations

import click

from triggers.analysis.times import moment
from triggers.cli.bulk import Bulk, repair_many
from triggers.cli.letter_filter import letter_job_options
from triggers.cli.operator_events import actor_name
from triggers.cli.option_types import CoordinatesType
from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import kafka_settings
from triggers.cli.suggesting_group import SuggestingGroup
from triggers.client.dead_letters import OPEN, DeadLetters, StoredLetter
from triggers.client.letter_query import LetterQuery
from triggers.codec.letter_mark_codec import LetterAction
from triggers.errors import CallError, IncompleteLetter
from triggers.jobs.records import Action, JobChange
from triggers.kafka.sender import Coordinates

reason_option = click.option("--reason", help="Only dead letters with this reason.")
_STATES = (OPEN, *(action.value for action in LetterAction))


@click.group("dead-letters", cls=SuggestingGroup)
def dead_letters_command() -> None:
    """List, show, redrive and discard records that could not be decoded or applied."""


@dead_letters_command.command("list")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of dead letters.")
@reason_option
@click.option(
    "--state",
    type=click.Choice([*_STATES, "any"]),
    default=OPEN,
    show_default=True,
    help="Only dead letters in this state.",
)
@json_option
@click.pass_context
def list_letters(ctx: click.Context, limit: int, reason: str | None, state: str, as_json: bool) -> None:
    """List the newest dead letters; by default, only open ones."""
    query = LetterQuery(reason=reason)
    query.check()
    letters = DeadLetters(kafka_settings(ctx, "dead_letters"))
    newest = letters.read_newest(limit, query, None if state == "any" else state)
    if as_json:
        print_json([_plain(stored) for stored in newest])
        return
    rows = [
        (_coordinates(s), _state(s), s.letter.reason, _text(s.letter.key, 40), _origin(s), s.letter.detail[:80])
        for s in newest
    ]
    print_table(("coordinates", "state", "reason", "session", "original record", "detail"), rows)


@dead_letters_command.command("show")
@click.argument("coordinates", type=CoordinatesType(), metavar="COORDINATES")
@json_option
@click.pass_context
def show_letter(ctx: click.Context, coordinates: Coordinates, as_json: bool) -> None:
    """Show a dead letter and its original record. `list` prints the COORDINATES: <partition>/<offset>."""
    stored = DeadLetters(kafka_settings(ctx, "dead_letters")).read_letter(*coordinates)
    if as_json:
        print_json(_plain(stored))
        return
    letter = stored.letter
    rows = [
        ("state", _state(stored)),
        ("reason", letter.reason),
        ("detail", letter.detail),
        ("original record", _origin(stored)),
        ("time (UTC)", moment(letter.time)),
        ("key", _text(letter.key)),
        ("value", _text(letter.value)),
        *((f"header {name}", _text(value)) for name, value in letter.headers),
        *([("missing", letter.missing)] if letter.missing else []),
    ]
    print_table(("", ""), rows, f"Dead letter {_coordinates(stored)}")


@dead_letters_command.command("redrive")
@click.argument("coordinates", type=CoordinatesType(), nargs=-1, metavar="[COORDINATES]...")
@click.option("--all", "every", is_flag=True, help="Redrive all open dead letters.")
@letter_job_options
@json_option
@click.pass_context
def redrive(
    ctx: click.Context,
    coordinates: tuple[Coordinates, ...],
    every: bool,
    reason: str | None,
    bulk: Bulk | None,
    as_json: bool,
) -> None:
    """Publish the original records of dead letters again: those at COORDINATES, all of a --reason, or --all.

    Remove the cause first, because a record that still cannot be applied becomes a new dead letter. A letter that was
    redriven or discarded before is not redriven again. A dead letter that does not have the whole record is
    refused, and the others are redriven.

    With --where, redrive all open dead letters that the filter finds, as a job with a result for each.
    """
    if bulk is not None:
        repair_many(ctx, JobChange(action=Action.REDRIVE), bulk, as_json=as_json)
        return
    letters, chosen = _chosen(ctx, coordinates, every=every, reason=reason)
    redriven = letters.redrive([stored for stored in chosen if not stored.letter.missing])
    if as_json:
        print_json({"redriven": [_coordinates(stored) for stored in redriven]})
    else:
        click.echo(f"Redrove {len(redriven)} records.")
    if incomplete := [stored for stored in chosen if stored.letter.missing and stored.mark is None]:
        raise IncompleteLetter(_describe_incomplete(incomplete))


@dead_letters_command.command("discard")
@click.argument("coordinates", type=CoordinatesType(), nargs=-1, metavar="[COORDINATES]...")
@click.option("--all", "every", is_flag=True, help="Discard all open dead letters.")
@letter_job_options
@json_option
@click.pass_context
def discard(
    ctx: click.Context,
    coordinates: tuple[Coordinates, ...],
    every: bool,
    reason: str | None,
    bulk: Bulk | None,
    as_json: bool,
) -> None:
    """Mark dead letters as discarded: those at COORDINATES, all of a --reason, or --all.

    `list` shows only open ones. Nothing is removed from the topic, and a discarded letter cannot be redriven.

    With --where, discard all open dead letters that the filter finds, as a job with a result for each.
    """
    if bulk is not None:
        repair_many(ctx, JobChange(action=Action.DISCARD), bulk, as_json=as_json)
        return
    letters, chosen = _chosen(ctx, coordinates, every=every, reason=reason)
    discarded = letters.discard(chosen)
    if as_json:
        print_json({"discarded": [_coordinates(stored) for stored in discarded]})
    else:
        click.echo(f"Discarded {len(discarded)} dead letters.")


def _chosen(
    ctx: click.Context, coordinates: tuple[Coordinates, ...], *, every: bool, reason: str | None
) -> tuple[DeadLetters, list[StoredLetter]]:
    """Returns the client and the dead letters that the command names. Raises CallError, NotFound."""
    if sum(map(bool, (coordinates, every, reason))) != 1:
        raise CallError("name the dead letters by one of COORDINATES, --reason, --all, and --where with a filter")
    settings = kafka_settings(ctx, "dead_letters")
    letters = DeadLetters(settings, actor_name(settings))
    if coordinates:
        return letters, [letters.read_letter(*each) for each in coordinates]
    return letters, [each for each in letters.read_all() if reason in {None, each.letter.reason} and each.mark is None]


def _describe_incomplete(refused: list[StoredLetter]) -> str:
    parts = "; ".join(f"{_coordinates(stored)} (missing: {stored.letter.missing})" for stored in refused)
    return (
        f"dead letters without the whole record cannot be redriven: {parts}; publish these records again from where"
        " they came from"
    )


def _plain(stored: StoredLetter) -> dict[str, object]:
    letter = stored.letter
    return {
        "coordinates": _coordinates(stored),
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
        "state": stored.state,
        "actor": None if stored.mark is None else stored.mark.actor,
        "job": None if stored.mark is None else stored.mark.job,
    }


def _state(stored: StoredLetter) -> str:
    if stored.mark is None:
        return stored.state
    return f"{stored.state} by {stored.mark.actor or 'unknown'}, {moment(stored.mark.time)}"


def _coordinates(stored: StoredLetter) -> str:
    return f"{stored.partition}/{stored.offset}"


def _origin(stored: StoredLetter) -> str:
    return f"{stored.letter.topic} {stored.letter.partition}/{stored.letter.offset}"


def _text(data: bytes | None, longest: int | None = None) -> str | None:
    """Decode bytes for display; escape those that are not UTF-8."""
    return None if data is None else data.decode(errors="backslashreplace")[:longest]
