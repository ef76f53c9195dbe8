"""Which dead letters a reader wants."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from triggers.codec import DeadLetter
from triggers.queries.filter_values import check_values


class LetterQuery(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A filter of dead letters. A letter matches if everything holds that is set.

    It is plain data. Times are milliseconds since 1970-01-01 UTC.
    """

    reason: str | None = None
    """The letter has this reason."""
    detail: str | None = None
    """The detail of the reason contains this, ignoring case."""
    topic: str | None = None
    """The original record is on this topic."""
    prefix: str = ""
    """The key of the original record, the UID of its session, starts with this."""
    since: int | None = None
    """The original record is not earlier than this."""
    until: int | None = None

    @property
    def is_empty(self) -> bool:
        """True if every letter matches."""
        return self == LetterQuery()

    def admits(self, letter: DeadLetter) -> bool:
        """Returns whether a letter matches."""
        if self.reason not in {None, letter.reason} or self.topic not in {None, letter.topic}:
            return False
        if self.detail is not None and self.detail.casefold() not in letter.detail.casefold():
            return False
        if not (letter.key or b"").startswith(self.prefix.encode(errors="surrogatepass")):
            return False
        is_late_enough = self.since is None or letter.time >= self.since
        return is_late_enough and (self.until is None or letter.time <= self.until)

    def check(self) -> None:
        """Raises CallError if a value is too long or negative."""
        check_values(self)


EVERY_LETTER: Final = LetterQuery()
"""The empty filter, which every letter matches."""
