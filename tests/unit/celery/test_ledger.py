"""A ledger passes on to the next owner of a partition which commands are finished, and which are suspects."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from triggers.celery.ledger import Checkpoint, Ledger, finished_beyond


def _holding(*offsets: int, after: Checkpoint | None = None) -> Ledger:
    ledger = Ledger(*after) if after else Ledger()
    for offset in offsets:
        ledger.accept(offset)
    return ledger


def _committed(ledger: Ledger, *, handover: bool = False) -> Checkpoint:
    checkpoint = ledger.checkpoint(handover=handover)
    assert checkpoint is not None
    return checkpoint


def finished(checkpoint: Checkpoint, offsets: Iterable[int]) -> list[int]:
    return list(filter(finished_beyond(*checkpoint), offsets))


def test_the_committed_offset_is_the_oldest_unfinished_one() -> None:
    ledger = _holding(0, 1, 2)

    ledger.settle(1)
    ledger.settle(0)

    assert _committed(ledger).offset == 2


def test_commands_that_finished_after_a_long_task_are_not_repeated() -> None:
    ledger = _holding(*range(10))
    for offset in range(1, 10):
        ledger.settle(offset)

    checkpoint = _committed(ledger)

    assert checkpoint.offset == 0
    assert finished(checkpoint, range(12)) == [*range(1, 10)]
    again = Ledger(*checkpoint)
    assert [offset for offset in range(12) if again.accept(offset)] == [0, 10, 11]


def test_an_owner_that_rereads_only_a_part_passes_the_rest_on() -> None:
    first = _holding(*range(10))
    for offset in (1, 3, 4, 8):
        first.settle(offset)
    second = _holding(0, 1, 2, after=_committed(first))
    second.settle(2)

    third = Ledger(*_committed(second, handover=True))

    assert [offset for offset in range(10) if third.accept(offset)] == [0, 5, 6, 7, 9]


def test_there_is_nothing_to_commit_before_a_delivery() -> None:
    assert Ledger(7, None).checkpoint() is None


def test_markers_at_the_end_count_as_read_once_they_are_proved_to_be_markers() -> None:
    ledger = _holding(0)
    ledger.settle(0)

    ledger.skip_to(2)

    assert _committed(ledger).offset == 1
    assert ledger.gaps == [(1, 2)]
    assert not ledger.ends_at_command((1, 2))
    ledger.close_gap((1, 2))
    assert _committed(ledger).offset == 2


def test_a_gap_before_a_command_is_unfinished_until_it_is_proved_harmless() -> None:
    ledger = _holding(0, 1, 5)
    for offset in (0, 1, 5):
        ledger.settle(offset)

    checkpoint = _committed(ledger)

    assert checkpoint.offset == 2
    assert [offset for offset in range(7) if Ledger(*checkpoint).accept(offset)] == [2, 3, 4, 6]
    ledger.close_gap((2, 5))
    assert _committed(ledger).offset == 6


def test_a_gap_that_is_read_again_delivers_the_missing_commands_once() -> None:
    ledger = _holding(0, 1, 6, 7)
    ledger.settle(6)

    again = [offset for offset in range(9) if ledger.accept(offset) and offset != 4]

    assert again == [2, 3, 5, 8]
    assert list(ledger.pending) == [0, 1, 2, 3, 4, 5, 7, 8]
    assert ledger.gaps == []


def test_offsets_still_missing_after_rereading_are_a_gap_again() -> None:
    ledger = _holding(0, 6)

    for offset in (2, 3, 6):
        ledger.accept(offset)

    assert ledger.gaps == [(1, 2), (4, 6)]
    ledger.close_gap((1, 6))  # judged before it was read again, so the verdict no longer applies
    assert ledger.gaps == [(1, 2), (4, 6)]


def test_missing_offsets_at_the_beginning_of_an_assignment_are_a_gap_too() -> None:
    ledger = Ledger(10, None)

    ledger.accept(13)

    assert ledger.gaps == [(10, 13)]
    assert _committed(ledger).offset == 10


def test_markers_before_an_unfinished_command_do_not_skip_it() -> None:
    ledger = _holding(0)

    ledger.skip_to(2)

    assert _committed(ledger).offset == 0


def test_commands_of_a_vanished_owner_are_suspects() -> None:
    lost = _committed(_holding(0, 1))

    ledger = _holding(0, 1, 2, after=lost)

    assert [ledger.is_suspect(offset) for offset in (0, 1, 2)] == [True, True, False]
    assert ledger.after_loss


def test_commands_that_were_handed_over_are_not_suspects() -> None:
    given = _committed(_holding(0, 1), handover=True)

    ledger = _holding(0, 1, after=given)

    assert not ledger.is_suspect(0)
    assert not ledger.after_loss


def test_the_runs_of_a_suspect_are_counted_from_loss_to_loss() -> None:
    checkpoint = _committed(_holding(0, 1))
    for run in (1, 2, 3):
        ledger = _holding(0, 1, after=checkpoint)
        ledger.count_run(0)
        assert ledger.pending == {0: run, 1: 0}
        checkpoint = _committed(ledger)


def test_an_orderly_handover_of_a_running_suspect_does_not_count_as_a_loss() -> None:
    ledger = _holding(0, after=_committed(_holding(0)))
    ledger.count_run(0)

    after = _holding(0, after=_committed(ledger, handover=True))

    assert after.pending == {0: 0}


def test_counted_runs_survive_an_owner_that_never_read_the_command() -> None:
    ledger = _holding(0, 1, after=_committed(_holding(0, 1)))
    ledger.count_run(1)
    in_between = _holding(0, after=_committed(ledger))

    after = _holding(0, 1, after=_committed(in_between, handover=True))

    assert after.pending == {0: 0, 1: 1}


def test_settling_is_idempotent() -> None:
    ledger = _holding(0, 1)

    ledger.settle(0)
    ledger.settle(0)

    assert ledger.pending == {1: 0}


@pytest.mark.parametrize(
    "metadata", ["", "something else", "{}", "[1]", "null", '{"high":"x","todo":[],"runs":{},"open":1}', '{"todo":[1]}']
)
def test_foreign_metadata_is_ignored(metadata: str) -> None:
    ledger = Ledger(5, metadata)

    assert [ledger.accept(offset) for offset in (5, 6)] == [True, True]
    assert not any(map(finished_beyond(5, metadata), range(5, 10)))


def test_metadata_is_json_that_names_offsets_relative_to_the_commit() -> None:
    ledger = Ledger(1000, None)
    for offset in (1000, 1001, 1002):
        ledger.accept(offset)
    ledger.settle(1001)

    checkpoint = _committed(ledger)

    assert checkpoint.offset == 1000
    assert json.loads(checkpoint.metadata) == {"high": 3, "todo": [[0, 1], [2, 1]], "runs": {}, "open": 1}


def test_a_marker_between_unfinished_commands_does_not_count_as_a_finished_command() -> None:
    """Each command has its own transaction, so every second offset is a marker."""
    ledger = _holding(*range(0, 24, 2))
    ledger.settle(10)

    assert finished(_committed(ledger), range(0, 30, 2)) == [10]


def test_unfinished_commands_with_markers_between_them_are_one_range() -> None:
    ledger = _holding(*range(100, 1100, 2))
    ledger.settle(100)
    ledger.settle(500)
    for gap in ledger.gaps:
        ledger.close_gap(gap)

    checkpoint = _committed(ledger)

    assert json.loads(checkpoint.metadata)["todo"] == [[0, 397], [399, 598]]
    assert finished(checkpoint, range(102, 1200, 2)) == [500]


def test_an_offset_that_was_never_delivered_between_unfinished_commands_is_not_finished() -> None:
    first = _holding(0, 1, 5)
    first.settle(1)

    second = Ledger(*_committed(first))

    assert [offset for offset in range(6) if second.accept(offset)] == [0, 2, 3, 4, 5]
