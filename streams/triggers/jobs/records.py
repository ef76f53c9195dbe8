"""The records of `<ns>.jobs`: the action, the items and the results of a job. They are JSON."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from triggers.client.letter_query import LetterQuery
from triggers.queries import SessionQuery

MAX_ITEMS: Final = 100_000
"""Maximum number of items of a job. They are recorded in one transaction."""
DEFAULT_RATE: Final = 50.0
"""Default number of items per second."""


class Action(StrEnum):
    """The change that a job makes to each item."""

    REPLAY = "replay"
    SKIP = "skip"
    CANCEL = "cancel"
    DELETE = "delete"
    ADOPT = "adopt"
    REDRIVE = "redrive"
    DISCARD = "discard"


WHOLE_SESSIONS: Final = frozenset({Action.DELETE, Action.ADOPT})
"""Actions whose items are sessions."""
LETTERS: Final = frozenset({Action.REDRIVE, Action.DISCARD})
"""Actions whose items are dead letters."""


class ItemState(StrEnum):
    """The state of an item."""

    PENDING = "pending"
    """Nothing has been done for it yet."""
    PUBLISHED = "published"
    """Its event is in the log, and its effect has not been checked yet. A dead letter is about to be changed."""
    APPLIED = "applied"
    """Its event, or the mark of a dead letter, has had the intended effect."""
    REFUSED = "refused"
    """Its event is in the log, but the session refused it, for example because another event came first. Somebody
    else was faster with a dead letter."""
    OBSOLETE = "obsolete"
    """Nothing was published, because the instance or the session had changed, so that the action did not apply."""
    CANCELLED = "cancelled"
    """Nothing was published, because an operator cancelled the job first."""


_EMPTY: Final = b"{}"


def result_option(result: bytes) -> Raw | UnsetType:
    """Returns a simulated result as `JobChange` has it."""
    return UNSET if result == _EMPTY else Raw(result)


class JobChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The action of a job and its options. They are those of the action on a single instance."""

    action: Action
    kwargs: dict[str, Raw] | None = None
    """Replay: trigger -> kwargs that replaces all kwargs of each instance."""
    cascade: bool = False
    """Skip: whether the task's name is fired, as if the task had finished."""
    result: Raw | UnsetType = UNSET
    """Skip: JSON object with the simulated result. It is not set if it is empty."""
    terminate: bool = False
    """Cancel: whether running tasks are ended, too."""
    rules: str = ""
    """Adopt: name of the published rules."""
    version: int = 0
    """Adopt: the version. 0 means the newest one; a job that is recorded has its number."""

    @property
    def simulated_result(self) -> bytes:
        """The JSON object with which instances are skipped."""
        return _EMPTY if self.result is UNSET else bytes(self.result)


class JobItem(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A session, one of its instances, or a dead letter that a job changes."""

    session: str
    """UID of the session; of a dead letter, the key of its record, as far as it is text."""
    instance: str = ""
    """`<task>#<number>`, or empty if the job does not change single instances."""
    partition: int = -1
    offset: int = -1
    """Coordinates of the dead letter, if it is one."""
    created: int = 0
    """When the session began. A session that begins later under the same UID is a different one, and is not changed."""
    reason: str = ""
    """Why it was selected: its status, its exception, or the reason of a dead letter. Long texts are truncated."""

    @property
    def letter(self) -> tuple[int, int]:
        """Partition and offset of the dead letter."""
        return self.partition, self.offset


class ItemResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of an item."""

    item: int
    """Number of the item, counted from 0."""
    state: ItemState
    detail: str = ""
    """The status that the instance has after the event, or why there was none."""
    replays: list[str] = []
    """Names of the instances that run the task again."""


class JobCreated(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="created"):
    """An operator has confirmed a job. Its items follow in the same transaction."""

    job: str
    change: JobChange
    where: SessionQuery
    """The filter that has selected the items, if they are not dead letters. It is not evaluated again."""
    letters: LetterQuery | None = None
    """The filter of a job that changes dead letters."""
    items: int
    rate: float
    """Maximum number of items per second."""
    actor: str | None = None


class JobItems(Struct, frozen=True, kw_only=True, tag_field="type", tag="items"):
    """Some of the items of a job."""

    job: str
    items: list[JobItem]


class JobPublished(Struct, frozen=True, kw_only=True, tag_field="type", tag="published"):
    """The events of these items are in the log: they are in the same transaction."""

    job: str
    items: list[int]


class JobResults(Struct, frozen=True, kw_only=True, tag_field="type", tag="results"):
    """The results of these items."""

    job: str
    results: list[ItemResult]


class JobCancelled(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="cancelled"):
    """An operator has cancelled the job: nothing is published any more for items that are pending here."""

    job: str
    actor: str | None = None


JobRecord = JobCreated | JobItems | JobPublished | JobResults | JobCancelled

encode_job_record: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(JobRecord)


def decode_job_record(value: bytes | None) -> JobRecord | None:
    """Decodes a record, or returns None for one that is of no class known here."""
    try:
        record: JobRecord = _decode.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return record
