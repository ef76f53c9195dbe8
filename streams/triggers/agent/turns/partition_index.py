"""Keeps the index of a partition: which instances are failed, and how many instances of a task have which status."""

from __future__ import annotations

from typing import Final

from triggers.core.state.loaded_instance import StatusMove
from triggers.core.state.rows import Changes, Rows
from triggers.core.statuses import FAILED, Status
from triggers.queries.index_rows import OTHERS, counts_key, decode_counts, encode_row, failure_key, failure_of

MAX_STATUSES: Final = 64
"""Number of statuses of a task from which on further ones of an application's own count as `OTHERS`."""
_KNOWN: Final = frozenset(map(str, Status))


class IndexUpdate:
    """The changes that the sessions of a turn make in the index of their partition."""

    __slots__ = ("_differences", "_failures", "new_failures", "until")

    def __init__(self) -> None:
        self.until: bytes | None = None
        """The last session that is counted, or None if all are."""
        self.new_failures: list[tuple[str, str]] = []
        """Task and class of the exception of every instance that has failed."""
        self._differences: dict[str, dict[str, int]] = {}
        """The change in the number of instances, by task and status."""
        self._failures: Changes = {}

    def add(self, uid: str, moves: list[StatusMove]) -> None:
        """Adds what a session has changed."""
        is_counted = self.until is None or uid.encode() <= self.until
        for move in moves:
            if is_counted:
                self._count(move)
            if FAILED in (move.after, move.before):
                self._move_failure(uid, move)

    def _count(self, move: StatusMove) -> None:
        difference = self._differences.get(move.task)
        if difference is None:
            difference = self._differences[move.task] = {}
        if move.before:
            difference[move.before] = difference.get(move.before, 0) - 1
        if move.after:
            difference[move.after] = difference.get(move.after, 0) + 1

    def _move_failure(self, uid: str, move: StatusMove) -> None:
        key = failure_key(uid.encode(), move.task, move.number)
        if move.after != FAILED:
            if move.before == FAILED:
                self._failures[key] = None
            return
        failure = failure_of(move.instance)
        self._failures[key] = encode_row(failure)
        if move.before != FAILED:
            self.new_failures.append((move.task, failure.exception))

    def changes(self, rows: Rows, over: Changes) -> Changes:
        """Returns the rows of the index to write. `rows` are those before the turn, and `over` the changes so far."""
        changes = self._failures
        for task, difference in self._differences.items():
            if any(difference.values()):
                key = counts_key(task)
                changes[key] = _added(over[key] if key in over else rows.get(key), difference)
        return changes


def _added(row: bytes | None, difference: dict[str, int]) -> bytes | None:
    """Returns the counts of a row with the difference added, or None if nothing is left to count."""
    counts = {} if row is None else decode_counts(row)
    for status, number in difference.items():
        has_name = status in counts or status in _KNOWN or (number > 0 and len(counts) < MAX_STATUSES)
        name = status if has_name else OTHERS
        counts[name] = counts.get(name, 0) + number
    left = {status: counts[status] for status in sorted(counts) if counts[status]}
    return encode_row(left) if left else None
