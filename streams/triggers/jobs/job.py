"""`Job`: the fold of the records of one job."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Final

from triggers.jobs.records import (
    ItemResult,
    ItemState,
    JobCancelled,
    JobCreated,
    JobItem,
    JobItems,
    JobPublished,
    JobRecord,
    JobResults,
)


class Job:
    """A job with its items and their results."""

    def __init__(self, created: JobCreated, time: int) -> None:
        """`time` is the timestamp of the record, in milliseconds since 1970-01-01 UTC."""
        self.id = created.job
        self.head = created
        self.created = time
        self.changed = time
        """When its last record was written."""
        self.items: list[JobItem] = []
        self._results: dict[int, ItemResult] = {}
        self._counts: Counter[ItemState] = Counter()
        self._first_pending = 0

    def apply(self, record: JobRecord, time: int) -> None:
        """Applies a record of the job. The first result of an item counts, and it fits what was published."""
        self.changed = max(self.changed, time)
        match record:
            case JobItems():
                self.items.extend(record.items)
                self._counts[ItemState.PENDING] += len(record.items)
            case JobPublished():
                for number in record.items:
                    self._set(ItemResult(item=number, state=ItemState.PUBLISHED))
            case JobResults():
                for result in record.results:
                    self._set(result)
            case JobCancelled():
                self._cancel_pending(record.actor)
            case JobCreated():
                pass  # the first one counts

    def result_of(self, number: int) -> ItemResult:
        """Returns the result of an item, which may be pending."""
        return self._results.get(number) or ItemResult(item=number, state=ItemState.PENDING)

    def is_pending(self, number: int) -> bool:
        """Returns whether an item is pending."""
        return number not in self._results

    def first_pending(self, limit: int) -> list[int]:
        """Returns the numbers of the first pending items."""
        while self._first_pending < len(self.items) and not self.is_pending(self._first_pending):
            self._first_pending += 1  # no item becomes pending again
        return list(islice(filter(self.is_pending, range(self._first_pending, len(self.items))), limit))

    def unconfirmed(self) -> list[int]:
        """Returns the numbers of the items whose event is published and has no result yet."""
        return [n for n, result in sorted(self._results.items()) if result.state is ItemState.PUBLISHED]

    def counts(self) -> dict[ItemState, int]:
        """Returns how many items are in each state."""
        return {state: self._counts[state] for state in ItemState}

    @property
    def finished(self) -> int:
        """Number of items that have their result."""
        return len(self.items) - self._counts[ItemState.PENDING] - self._counts[ItemState.PUBLISHED]

    @property
    def is_finished(self) -> bool:
        """True if every item has its result."""
        return self.finished == len(self.items)

    def _cancel_pending(self, actor: str | None) -> None:
        detail = f"the job was cancelled by {actor or 'somebody'}"
        for number in filter(self.is_pending, range(len(self.items))):
            self._set(ItemResult(item=number, state=ItemState.CANCELLED, detail=detail))

    def _set(self, result: ItemResult) -> None:
        """Sets the result of an item, unless the item already has one or the state cannot follow."""
        before = self.result_of(result.item).state
        if 0 <= result.item < len(self.items) and result.state in _NEXT.get(before, ()):
            self._results[result.item] = result
            self._counts[before] -= 1
            self._counts[result.state] += 1


_NEXT: Final = {
    ItemState.PENDING: frozenset({ItemState.PUBLISHED, ItemState.OBSOLETE, ItemState.CANCELLED}),
    ItemState.PUBLISHED: frozenset({ItemState.APPLIED, ItemState.REFUSED}),
}
"""State -> states that may follow. No state follows a result."""
