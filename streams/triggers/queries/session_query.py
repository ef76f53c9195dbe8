"""Which sessions a reader wants."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from triggers.core.statuses import Status
from triggers.errors import CallError
from triggers.queries.filter_values import check_values


class SessionQuery(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A filter of sessions. A session matches if everything holds that is set; without anything, every session matches.

    A query is plain data: `to_json` and `from_json` store it. Times are milliseconds since 1970-01-01 UTC.
    """

    prefix: str = ""
    """The UID starts with this."""
    status: str | None = None
    """An instance has this status now."""
    task: str | None = None
    """There is an instance of this task. With `status`, `exception` or `message`, these hold for such an instance."""
    exception: str | None = None
    """An instance is failed with this class of exception: `module.Class`, or the name after the last dot."""
    message: str | None = None
    """An instance is failed, and the text of its exception contains this, ignoring case."""
    seen: str | None = None
    """This trigger has been fired."""
    missing: str | None = None
    """A task that is not resolved waits for this trigger."""
    rules: str | None = None
    """The session has published rules of this name."""
    version: int | None = None
    """The session has this version of its published rules."""
    created_since: int | None = None
    created_until: int | None = None
    changed_since: int | None = None
    """The last event that changed the session is not earlier than this."""
    changed_until: int | None = None
    stuck_ms: int | None = None
    """The session is stuck: something in it is unresolved, and either its last record came into the log this many
    milliseconds ago or earlier, or it waits for the task of a failed instance."""

    @property
    def is_empty(self) -> bool:
        """True if every session matches."""
        return self == SessionQuery()

    @property
    def wants_failed(self) -> bool:
        """True if only sessions with a failed instance can match."""
        return self.status == Status.FAILED or self.exception is not None or self.message is not None

    def admits_failure(self, task: str, exception: str, message: str) -> bool:
        """Returns whether the query means a failed instance of this task, with this exception."""
        if self.task is not None and task != self.task:
            return False
        if self.exception is not None and self.exception not in {exception, exception.rpartition(".")[2]}:
            return False
        return self.message is None or self.message.casefold() in message.casefold()

    def check(self) -> None:
        """Raises CallError if the query contradicts itself."""
        check_values(self)
        if self.status not in {None, Status.FAILED} and (self.exception is not None or self.message is not None):
            raise CallError(f"status {self.status!r}: only failed instances have an exception; remove status")

    def to_json(self) -> bytes:
        """Returns the query as a JSON object with what is set."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes | str) -> SessionQuery:
        """Returns the query of a JSON object. Raises CallError."""
        try:
            query = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CallError(f"a query of sessions: {error}") from error
        query.check()
        return query


_decode: Final = msgspec.json.Decoder(SessionQuery).decode  # prepared before several threads need it
