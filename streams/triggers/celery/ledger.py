"""`Ledger`: which commands of a partition are finished, stored in a Kafka commit (an offset and 4096 bytes of text).

The committed offset is that of the oldest unfinished command. The metadata says which later commands are finished, so
after a restart or a rebalance, the short tasks behind a long one do not run again.

A Celery worker that vanishes leaves *suspects*: commands that it held and did not finish. One of them may have killed
the worker, so their runs are counted, and the count is committed before each run.

*Gaps* are offsets that were not delivered although later ones were. Most contain transaction markers. Until that is
proved, a gap counts as unfinished, so that no commit passes a command that the Kafka client may have skipped.
"""

from __future__ import annotations

import heapq
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, takewhile
from operator import itemgetter
from typing import Final, NamedTuple

MAX_METADATA_BYTES: Final = 4096
"""The default of Kafka's `offset.metadata.max.bytes`."""
_MAX_RANGES: Final = 120
_MAX_COUNTED: Final = 40

Range = tuple[int, int]
"""A first offset, and the offset after the last one."""


class Checkpoint(NamedTuple):
    """The offset and metadata to commit."""

    offset: int
    metadata: str


class Ledger:
    """The unfinished commands of one partition.

    Its size grows with the number of commands that were delivered and are not settled.
    """

    def __init__(self, committed: int = 0, metadata: str | None = None) -> None:
        """Continues from what the last holder committed. Metadata that is not ours is ignored."""
        saved = _decode(metadata)
        self._todo = [(committed + start, committed + start + length) for start, length in saved.todo]
        """The ranges that the last holder had not finished before `_known`."""
        self._known = committed + saved.high
        """Offset up to which the last holder knew what was finished."""
        self._runs = {committed + offset: count for offset, count in saved.runs.items()}
        """Counted runs of earlier holders, by offset, of commands that were not delivered to this one yet."""
        self._since: dict[int, int] = {}
        """Where the markers before each pending command begin, by its offset."""
        self._delivered = committed
        """Offset after the last delivered command."""
        self._counted_now: set[int] = set()
        """Offsets of the pending commands with a run that this holder has counted."""
        self._suspects: set[int] = set()
        self._next = committed
        """Offset that must come next."""
        self._moved = False
        """True once a command was delivered or a position was reached."""
        self._unread: dict[Range, bool] = {}
        """Unproved gap -> whether a command was delivered right after it."""
        self.after_loss = saved.open
        """True if the last holder vanished without a handover."""
        self.pending: dict[int, int] = {}
        """Number of counted runs, by offset, of the commands that were delivered and are not settled."""
        self.dirty = False
        """True if something changed since the last checkpoint."""

    @property
    def gaps(self) -> list[Range]:
        """Gaps in order that are not yet proved to contain no command."""
        return sorted(self._unread)

    def ends_at_command(self, gap: Range) -> bool:
        """Returns whether a command was delivered right after the gap. If not, the partition ended there."""
        return self._unread[gap]

    def close_gap(self, gap: Range) -> None:
        """Removes a gap that is proved to contain no command. Does nothing if it was read meanwhile. Idempotent."""
        if self._unread.pop(gap, None) is not None:
            self.dirty = True

    def accept(self, offset: int) -> bool:
        """Accepts a delivered command. Returns False if it is finished, or was delivered before.

        Offsets must be passed in order, except when a gap is read again.
        """
        if offset < self._next and not self._split_gap(offset):
            return False
        if offset > self._next:
            self._unread[self._next, offset] = True
        since = self._pass(offset)
        self._next, self._moved, self.dirty = max(self._next, offset + 1), True, True
        if offset < self._known and not self._is_todo(offset):
            return False
        self._since[offset] = since
        self._take_in_hand(offset)
        return True

    def _pass(self, offset: int) -> int:
        """Returns the offset after the previous command, where the markers before this command begin."""
        since, self._delivered = min(self._delivered, offset), max(self._delivered, offset + 1)
        later_ones = takewhile(lambda each: each > offset, reversed(self.pending))  # none, unless a gap is read again
        for later in [each for each in later_ones if self._since[each] <= offset]:
            since, self._since[later] = self._since[later], offset + 1
        return since

    def _split_gap(self, offset: int) -> bool:
        """Removes a delivered offset from its gap, which is split. Returns False if it is in no gap."""
        gap = next((gap for gap in self._unread if gap[0] <= offset < gap[1]), None)
        if gap is None:
            return False
        at_command = self._unread.pop(gap)
        if gap[0] < offset:
            self._unread[gap[0], offset] = True
        if offset + 1 < gap[1]:
            self._unread[offset + 1, gap[1]] = at_command
        return True

    def _take_in_hand(self, offset: int) -> None:
        is_late = any(offset < other for other in islice(reversed(self.pending), 1))
        self.pending[offset] = runs = self._runs.pop(offset, 0)
        if is_late:
            self.pending = dict(sorted(self.pending.items()))
        if runs or (self.after_loss and offset < self._known):
            self._suspects.add(offset)

    def is_suspect(self, offset: int) -> bool:
        """Returns whether a vanished Celery worker held the command."""
        return offset in self._suspects

    def count_run(self, offset: int) -> None:
        """Counts a run of a suspect. Commit before the task starts."""
        self.pending[offset] += 1
        self._counted_now.add(offset)
        self.dirty = True

    def settle(self, offset: int) -> None:
        """Marks a command as done, because its result is on Kafka. Idempotent."""
        self.pending.pop(offset, None)
        self._since.pop(offset, None)
        self._counted_now.discard(offset)
        self._suspects.discard(offset)
        self.dirty = True

    def skip_to(self, offset: int) -> None:
        """Accepts a position that the consumer reported. Offsets before it that were not delivered are a gap."""
        if offset > self._next:
            self._unread[self._next, offset] = False
            self._next, self._moved, self.dirty = offset, True, True

    def checkpoint(self, *, handover: bool = False) -> Checkpoint | None:
        """Returns what to commit, or None if nothing was delivered yet. `handover` marks this holder's last commit."""
        if not self._moved:
            return None
        base = min(next(iter(self.pending), self._next), min(self._unread, default=(self._next,))[0])
        high = max(self._next, self._known)
        ranges = list(islice(_merged(self._unfinished()), _MAX_RANGES + 1))
        if len(ranges) > _MAX_RANGES:  # there is no room for more ranges, so the later commands are repeated
            high = ranges.pop()[0]
        metadata = {
            "high": high - base,
            "todo": [[start - base, end - start] for start, end in ranges],
            "runs": {offset - base: count for offset, count in self._counted(handover)},
            "open": int(not handover),
        }
        return Checkpoint(base, json.dumps(metadata, separators=(",", ":")))

    def _is_todo(self, offset: int) -> bool:
        index = bisect_right(self._todo, offset, key=itemgetter(0)) - 1
        return index >= 0 and offset < self._todo[index][1]

    def _unfinished(self) -> Iterator[Range]:
        """Yields delivered commands and gaps, then what an earlier holder left and Kafka has not delivered again yet.

        The markers before a delivered command are added to it, so commands of successive transactions are one range.
        """
        base = next(iter(self.pending), 0)
        in_hand = ((max(self._since[offset], base), offset + 1) for offset in self.pending)
        yield from heapq.merge(in_hand, self.gaps)
        yield from ((max(start, self._next), end) for start, end in self._todo if end > self._next)

    def _counted(self, handover: bool) -> list[tuple[int, int]]:
        """Returns offsets and their counts, the highest counts first. A run that is handed over is not counted."""
        now = ((offset, runs - (handover and offset in self._counted_now)) for offset, runs in self.pending.items())
        left = ((offset, runs) for offset, runs in self._runs.items() if offset >= self._next)
        counted = [(offset, runs) for offset, runs in (*now, *left) if runs]
        return sorted(counted, key=lambda item: (-item[1], item[0]))[:_MAX_COUNTED]


def finished_beyond(committed: int, metadata: str | None) -> Callable[[int], bool]:
    """Returns a predicate: whether the command at an offset is finished, according to a commit and its metadata.

    It is meaningful only for offsets of commands, because transaction markers are neither finished nor unfinished.
    """
    saved = _decode(metadata)
    todo = [(committed + start, committed + start + length) for start, length in saved.todo]
    return lambda offset: offset < committed + saved.high and not any(start <= offset < end for start, end in todo)


class _Saved(NamedTuple):
    high: int
    todo: list[Range]
    runs: dict[int, int]
    open: bool


def _decode(metadata: str | None) -> _Saved:
    """Decodes the metadata, or returns the empty state if another program has written it."""
    try:
        saved = json.loads(metadata or "")
        todo = [(int(start), int(length)) for start, length in saved["todo"]]
        runs = {int(offset): int(count) for offset, count in saved["runs"].items()}
        return _Saved(int(saved["high"]), todo, runs, bool(saved["open"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return _Saved(0, [], {}, open=False)


def _merged(ranges: Iterable[Range]) -> Iterator[Range]:
    """Yields the ranges with adjacent and overlapping ones merged. They must be sorted by their first offsets."""
    first, end = -1, -1
    for start, stop in ranges:
        if start <= end:
            end = max(end, stop)
            continue
        if end > first:
            yield first, end
        first, end = start, stop
    if end > first:
        yield first, end
