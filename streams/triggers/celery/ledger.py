"""Which commands of a partition are finished, in what one commit of Kafka can carry: an offset and 4096 bytes.

The committed offset is the oldest unfinished command. What finished beyond it stands in the commit's metadata, so a
long task makes neither a restart nor a rebalance repeat the short ones behind it.

A holder that vanishes leaves *suspects*: commands it held and did not finish. One of them may be what took the worker
down, so their runs are counted, and the count is committed before the run.
"""

from __future__ import annotations

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
        self._begun: set[int] = set()
        self._suspects: set[int] = set()
        self._position: int | None = None
        self.after_loss = saved.open
        """The last holder vanished instead of handing over."""
        self.pending: dict[int, int] = {}
        """Unfinished offset in hand -> its counted runs."""
        self.dirty = False
        """Something changed since the last checkpoint."""

    def admit(self, offset: int) -> bool:
        """Take a command in hand; False: it is finished already. Offsets must come in order."""
        since, self._position, self.dirty = self._position, offset + 1, True
        if offset < self._known and not self._is_todo(offset):
            return False
        self._since[offset] = offset if since is None else since
        self.pending[offset] = runs = self._runs.pop(offset, 0)
        if runs or (self.after_loss and offset < self._known):
            self._suspects.add(offset)
        return True

    def is_suspect(self, offset: int) -> bool:
        """Whether the command was in the hands of a worker that vanished."""
        return offset in self._suspects

    def begin(self, offset: int) -> None:
        """Count a run of a suspect. Commit before the task starts."""
        self.pending[offset] += 1
        self._begun.add(offset)
        self.dirty = True

    def settle(self, offset: int) -> None:
        """The command's outcome is on Kafka. Twice is once."""
        self.pending.pop(offset, None)
        self._since.pop(offset, None)
        self._begun.discard(offset)
        self._suspects.discard(offset)
        self.dirty = True

    def skip_to(self, offset: int) -> None:
        """Everything before the offset was delivered; what is left there are transaction markers."""
        if offset > (self._position or 0):
            self._position, self.dirty = offset, True

    def checkpoint(self, *, handover: bool = False) -> Checkpoint | None:
        """What to commit now; None: nothing was delivered yet. `handover`: this is the holder's last one."""
        if self._position is None:
            return None
        base = next(iter(self.pending), self._position)
        high = max(self._position, self._known)
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
        """In hand first, then what an earlier holder left and Kafka has not delivered again yet.

        The markers before a command in hand go with it, so commands that each had a transaction are one range.
        """
        position, base = self._position or 0, next(iter(self.pending), 0)
        yield from ((max(self._since[offset], base), offset + 1) for offset in self.pending)
        yield from ((max(start, position), end) for start, end in self._todo if end > position)

    def _counted(self, handover: bool) -> list[tuple[int, int]]:
        """The runs worth remembering, most first. A run that is handed over in an orderly way was no loss."""
        now = ((offset, runs - (handover and offset in self._begun)) for offset, runs in self.pending.items())
        left = ((offset, runs) for offset, runs in self._runs.items() if offset >= (self._position or 0))
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
    first, end = -1, -1
    for start, stop in ranges:
        if start == end:
            end = stop
            continue
        if end > first:
            yield first, end
        first, end = start, stop
    if end > first:
        yield first, end
