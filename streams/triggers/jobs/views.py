"""Views of jobs for people and programs, as JSON shows them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final

from msgspec import Struct

from triggers.client.letter_query import LetterQuery
from triggers.jobs.job import Job
from triggers.jobs.planner import ItemGroup, Selection
from triggers.jobs.records import LETTERS, WHOLE_SESSIONS, Action, ItemState, JobChange, JobItem
from triggers.queries import SessionQuery

SAMPLE = 10
"""Number of items that a preview shows."""


PARTICIPLES: Final[Mapping[Action, str]] = {
    Action.REPLAY: "replayed",
    Action.SKIP: "skipped",
    Action.CANCEL: "cancelled",
    Action.DELETE: "deleted",
    Action.ADOPT: "bound to other rules",
    Action.REDRIVE: "redriven",
    Action.DISCARD: "discarded",
}
"""The change that a job makes to its items."""


def count_items(action: Action, number: int) -> str:
    """Returns the number of items in words, such as `50 instances`."""
    noun = "dead letter" if action in LETTERS else "session" if action in WHOLE_SESSIONS else "instance"
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class JobPreview(Struct, frozen=True, kw_only=True):
    """The items that a job would change if it were created now."""

    change: JobChange
    where: SessionQuery
    """The filter, with the status that the action implies."""
    letters: LetterQuery | None = None
    """The filter of a job that changes dead letters, instead of `where`."""
    items: int
    sessions: int
    groups: list[ItemGroup]
    """The items by task and reason, at most the ten largest groups."""
    sample: list[JobItem]
    """The first items, at most ten."""


class JobSummary(Struct, frozen=True, kw_only=True):
    """A job and how far it has come. Times are milliseconds since 1970-01-01 UTC."""

    id: str
    change: JobChange
    where: SessionQuery
    """The filter that has selected the items. It is not evaluated again."""
    letters: LetterQuery | None = None
    """The filter of a job that changes dead letters, instead of `where`."""
    actor: str | None
    rate: float
    """Maximum number of items per second."""
    created: int
    changed: int
    """When the last result was recorded."""
    items: int
    counts: dict[ItemState, int]
    """State -> number of items."""
    is_finished: bool
    """Whether every item has its result. If not, and nothing changes, no process runs the job; it can be resumed."""


class ItemView(Struct, frozen=True, kw_only=True):
    """An item and what has become of it."""

    item: int
    """Number of the item, counted from 0."""
    session: str
    instance: str
    """`<task>#<number>`, or empty if the item is a whole session or a dead letter."""
    reason: str
    """Why it was selected: its status, its exception, or the reason of the dead letter."""
    state: ItemState
    detail: str
    """The status of the instance after the event, or why there was none."""
    replays: list[str]
    """Names of the instances that run the task again."""
    partition: int | None = None
    offset: int | None = None
    """Coordinates of the dead letter, if the item is one."""


class JobView(Struct, frozen=True, kw_only=True):
    """A job with some of its items."""

    job: JobSummary
    items: list[ItemView]
    next: int | None
    """Number of the item with which the next page begins, or None after the last page."""


def preview(selection: Selection) -> JobPreview:
    """Returns what a job would change."""
    return JobPreview(
        change=selection.change,
        where=selection.where if isinstance(selection.where, SessionQuery) else SessionQuery(),
        letters=selection.where if isinstance(selection.where, LetterQuery) else None,
        items=len(selection.items),
        sessions=selection.sessions,
        groups=selection.groups(),
        sample=selection.items[:SAMPLE],
    )


def summarize(job: Job) -> JobSummary:
    """Returns how far a job has come."""
    return JobSummary(
        id=job.id,
        change=job.head.change,
        where=job.head.where,
        letters=job.head.letters,
        actor=job.head.actor,
        rate=job.head.rate,
        created=job.created,
        changed=job.changed,
        items=len(job.items),
        counts=job.counts(),
        is_finished=job.is_finished,
    )


def view_job(job: Job, *, state: ItemState | None = None, first: int = 0, limit: int = 100) -> JobView:
    """Returns a job with its items from a number on, optionally only those in a state."""
    wanted = (n for n in range(first, len(job.items)) if state in {None, job.result_of(n).state})
    numbers = list(islice(wanted, limit + 1))
    return JobView(
        job=summarize(job),
        items=[_view_item(job, number) for number in numbers[:limit]],
        next=numbers[limit] if len(numbers) > limit else None,
    )


def _view_item(job: Job, number: int) -> ItemView:
    item, result = job.items[number], job.result_of(number)
    return ItemView(
        item=number,
        session=item.session,
        instance=item.instance,
        reason=item.reason,
        state=result.state,
        detail=result.detail,
        replays=result.replays,
        partition=None if item.partition < 0 else item.partition,
        offset=None if item.offset < 0 else item.offset,
    )
