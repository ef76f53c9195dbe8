"""State is the fold of the log, in whatever batches, wherever it is folded, and even if events are delivered twice."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest
from msgspec.structs import replace
from tests.property.scripts import Script

from triggers.core.commands import Command, Outcome
from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session
from triggers.core.view import SessionView, view_session

SEEDS = range(40)
UID = "q-1"
REPOSITORY = Path(__file__).parents[2]


def random_log(seed: int) -> list[Event]:
    """Returns the events of a random session."""
    triggers = ["a", "b", "c", "d", "p", "x"]
    script = Script(Random(seed), triggers)  # noqa: S311  # a repeatable script
    for _ in range(80):
        script.step()
    return script.pair.core.log


def fold(log: Iterable[Event], rows: MemoryRows, batch: int = 1) -> Iterator[Command]:
    """Applies the log to the rows, with a new session object for each batch, and yields the commands."""
    events = list(log)
    for start in range(0, len(events), batch):
        session = Session(UID, rows, Plans())
        for event in events[start : start + batch]:
            yield from apply(session, event).commands
        rows.write(session.changes())


def digest(seed: int) -> str:
    """Returns a hash of all commands and rows of a random log, in order."""
    rows = MemoryRows()
    commands = list(fold(random_log(seed), rows, 7))
    return hashlib.sha256(repr((commands, list(rows.items()))).encode()).hexdigest()


def seen(rows: MemoryRows) -> SessionView:
    """Returns the view of the session in the rows."""
    return view_session(Session(UID, rows, Plans()))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("batch", [3, 1000])
def test_batches_make_no_difference_to_rows_and_commands(seed: int, batch: int) -> None:
    log, one_by_one, batched = random_log(seed), MemoryRows(), MemoryRows()

    commands = list(fold(log, one_by_one))

    assert list(fold(log, batched, batch)) == commands
    assert batched == one_by_one


@pytest.mark.parametrize("seed", SEEDS)
def test_a_session_object_kept_from_batch_to_batch_makes_no_difference(seed: int) -> None:
    log, reloaded, kept = random_log(seed), MemoryRows(), MemoryRows()
    list(fold(log, reloaded))
    session = Session(UID, kept, Plans())

    for number, event in enumerate(log):
        apply(session, event)
        if number % 5 == 0:
            kept.write(session.changes())
    kept.write(session.changes())

    assert kept == reloaded


@pytest.mark.parametrize("seed", SEEDS)
def test_two_halves_of_a_log_equal_the_whole(seed: int) -> None:
    log, whole, halves = random_log(seed), MemoryRows(), MemoryRows()
    middle = Random(seed).randrange(len(log))  # noqa: S311  # a repeatable cut

    commands = list(fold(log, whole, len(log)))

    assert [*fold(log[:middle], halves, len(log)), *fold(log[middle:], halves, len(log))] == commands
    assert halves == whole
    assert msgspec.json.encode(seen(halves)) == msgspec.json.encode(seen(whole))


@pytest.mark.parametrize("seed", SEEDS)
def test_events_delivered_again_with_their_ids_change_nothing(seed: int) -> None:
    log = [replace(event, id=f"id-{number}") for number, event in enumerate(random_log(seed))]
    rows = MemoryRows()
    list(fold(log, rows))
    before = seen(rows)
    session = Session(UID, rows, Plans())

    outcomes = [apply(session, replace(event, position=10_000 + n)).outcome for n, event in enumerate(log)]

    rows.write(session.changes())
    assert set(outcomes) == {Outcome.DUPLICATE}
    after = seen(rows)
    assert msgspec.structs.replace(after, events=before.events) == before
    assert after.events == 2 * len(log)


def test_hash_seeds_make_no_difference_to_a_single_byte() -> None:
    script = "from tests.property.test_replayed_logs import digest; print([digest(seed) for seed in range(8)])"

    def run(hash_seed: str) -> str:
        paths = os.pathsep.join((str(REPOSITORY / "streams"), str(REPOSITORY)))
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths}
        command = [sys.executable, "-c", script]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert run("1") == run("2")
