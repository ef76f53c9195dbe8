"""Which commands of a partition are finished, in what one commit of Kafka can carry: an offset and 4096 bytes.

The committed offset is the oldest unfinished command. What finished beyond it stands in the commit's metadata, so a
long task makes neither a restart nor a rebalance repeat the short ones behind it.

A holder that vanishes leaves *suspects*: commands it held and did not finish. One of them may be what took the worker
down, so their runs are counted, and the count is committed before the run.

Offsets that were not delivered although later ones were are *gaps*. Most hold the marker of a transaction; until that
is proved, a gap counts as unfinished, so that no commit moves past a command that the Kafka client may have left out.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

MAX_METADATA_BYTES: Final = 4096
"""Kafka's `offset.metadata.max.bytes`."""
_MAX_RANGES: Final = 120
_MAX_COUNTED: Final = 40

Range = tuple[int, int]
"""First offset, and the one after the last."""


class Checkpoint(NamedTuple):
    """What to commit."""

    offset: int
    metadata: str


class Ledger:
    """The unfinished offsets of one partition, in order. Memory is that of the commands in hand."""

    def __init__(self, committed: int = 0, metadata: str | None = None) -> None:
        """What the last holder committed; metadata that is not ours counts as none."""
        saved = _decode(metadata)
        self._todo = [(committed + start, committed + start + length) for start, length in saved.todo]
        self._known = committed + saved.high
        self._runs = {committed + offset: count for offset, count in saved.runs.items()}
        self._since: dict[int, int] = {}
        self._delivered = committed
        self._counted_now: set[int] = set()
        self._suspects: set[int] = set()
        self._next = committed
        self._moved = False
        self._unread: dict[Range, bool] = {}
        self.after_loss = saved.open
        """The last holder vanished instead of handing over."""
        self.pending: dict[int, int] = {}
        """Unfinished offset in hand -> its counted runs."""
        self.dirty = False
        """Something changed since the last checkpoint."""

    @property
    def gaps(self) -> list[Range]:
        """Offsets that were passed over, in order; nobody has proved yet that there is no command among them."""
        return sorted(self._unread)

    def ends_at_command(self, gap: Range) -> bool:
        """Whether a command was delivered right behind the gap; otherwise it is where the partition ended."""
        return self._unread[gap]

    def close_gap(self, gap: Range) -> None:
        """There is no command in this gap. Idempotent; ignored for one that was read meanwhile."""
        if self._unread.pop(gap, None) is not None:
            self.dirty = True

    def take(self, offset: int) -> bool:
        """Take a command in hand; False: it is finished, or in hand, already.

        Offsets come in order, except when a gap is read again.
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
        """Where the markers before this command begin: behind the command before it."""
        since, self._delivered = min(self._delivered, offset), max(self._delivered, offset + 1)
        for later in [each for each in reversed(self.pending) if self._since[each] <= offset < each]:
            since, self._since[later] = self._since[later], offset + 1
        return since

    def _split_gap(self, offset: int) -> bool:
        """Take an offset out of the gap that it was delivered for after all; False: it is in none."""
        found = next((gap for gap in self._unread if gap[0] <= offset < gap[1]), None)
        if found is None:
            return False
        at_command = self._unread.pop(found)
        if found[0] < offset:
            self._unread[found[0], offset] = True
        if offset + 1 < found[1]:
            self._unread[offset + 1, found[1]] = at_command
        return True

    def _take_in_hand(self, offset: int) -> None:
        is_late = any(offset < other for other in islice(reversed(self.pending), 1))
        self.pending[offset] = runs = self._runs.pop(offset, 0)
        if is_late:
            self.pending = dict(sorted(self.pending.items()))
        if runs or (self.after_loss and offset < self._known):
            self._suspects.add(offset)

    def is_suspect(self, offset: int) -> bool:
        """Whether the command was in the hands of a worker that vanished."""
        return offset in self._suspects

    def count_run(self, offset: int) -> None:
        """Count a run of a suspect. Commit before the task starts."""
        self.pending[offset] += 1
        self._counted_now.add(offset)
        self.dirty = True

    def settle(self, offset: int) -> None:
        """The command's outcome is on Kafka. Twice is once."""
        self.pending.pop(offset, None)
        self._since.pop(offset, None)
        self._counted_now.discard(offset)
        self._suspects.discard(offset)
        self.dirty = True

    def skip_to(self, offset: int) -> None:
        """The consumer says that it has delivered everything before the offset: the rest there is a gap."""
        if offset > self._next:
            self._unread[self._next, offset] = False
            self._next, self._moved, self.dirty = offset, True, True

    def checkpoint(self, *, handover: bool = False) -> Checkpoint | None:
        """What to commit now; None: nothing was delivered yet. `handover`: this is the holder's last one."""
        if not self._moved:
            return None
        base = min(next(iter(self.pending), self._next), min(self._unread, default=(self._next,))[0])
        high = max(self._next, self._known)
        ranges = list(islice(_merged(self._unfinished()), _MAX_RANGES + 1))
        if len(ranges) > _MAX_RANGES:  # too fragmented to remember: repeat everything from here on
            high = ranges.pop()[0]
        metadata = {
            "high": high - base,
            "todo": [[start - base, end - start] for start, end in ranges],
            "runs": {offset - base: count for offset, count in self._counted(handover)},
            "open": int(not handover),
        }
        return Checkpoint(base, json.dumps(metadata, separators=(",", ":")))

    def _is_todo(self, offset: int) -> bool:
        return any(start <= offset < end for start, end in self._todo)

    def _unfinished(self) -> Iterator[Range]:
        """In hand or not proved first, then what an earlier holder left and Kafka has not delivered again yet.

        The markers before a command in hand go with it, so commands that each had a transaction are one range.
        """
        base = next(iter(self.pending), 0)
        in_hand = ((max(self._since[offset], base), offset + 1) for offset in self.pending)
        yield from heapq.merge(in_hand, self.gaps)
        yield from ((max(start, self._next), end) for start, end in self._todo if end > self._next)

    def _counted(self, handover: bool) -> list[tuple[int, int]]:
        """The runs worth remembering, most first. A run that is handed over in an orderly way was no loss."""
        now = ((offset, runs - (handover and offset in self._counted_now)) for offset, runs in self.pending.items())
        left = ((offset, runs) for offset, runs in self._runs.items() if offset >= self._next)
        counted = [(offset, runs) for offset, runs in (*now, *left) if runs]
        return sorted(counted, key=lambda item: (-item[1], item[0]))[:_MAX_COUNTED]


def finished_beyond(committed: int, metadata: str | None) -> Callable[[int], bool]:
    """Whether the command at an offset beyond the committed one is finished, according to the commit's metadata.

    It is asked for commands only: an offset of a transaction marker is neither finished nor unfinished.
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
    """The group may have been used by something else before: its metadata means nothing here."""
    try:
        saved = json.loads(metadata or "")
        todo = [(int(start), int(length)) for start, length in saved["todo"]]
        runs = {int(offset): int(count) for offset, count in saved["runs"].items()}
        return _Saved(int(saved["high"]), todo, runs, bool(saved["open"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return _Saved(0, [], {}, open=False)


def _merged(ranges: Iterable[Range]) -> Iterator[Range]:
    """Ranges that touch or overlap as one; they come by their first offsets."""
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
