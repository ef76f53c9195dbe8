"""The parts of a header that queries look at, in two steps. Decoding takes most of a search's time."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from triggers.core.state.header_parts import RuleBinding
from triggers.core.view import RulesView
from triggers.queries.answers import FailedInstance, FoundSession

MAX_FAILURES_SHOWN: Final = 5


class HeaderStart(Struct, array_like=True, frozen=True, gc=False):
    """The first elements of a stored header, in the order of `core.state.header_codec`. Most checks need no others."""

    format: int
    configuration: bytes
    tasks: Raw
    tasks_spilled: bool
    latest: Raw
    latest_spilled: bool
    payloads: int
    instances: int
    unresolved: int
    created: int
    modified: int


class HeaderFacts(HeaderStart, array_like=True, frozen=True, gc=False):
    """All elements of a stored header."""

    events: int
    tail: Raw
    chunks: int
    ids: Raw
    id_chunks: int
    last: int = 0
    wake: int = 0
    deleted: bool = False
    sweeping: bool = False
    past_attempts: int = 0
    clock: int = 0
    edition_2: Raw = Raw(b"\xc0")
    published: RuleBinding | None = None

    def as_found(self, uid: str, failures: list[FailedInstance], waits_behind: list[str]) -> FoundSession:
        """Returns the session as queries return it."""
        rules = self.published
        return FoundSession(
            uid=uid,
            created=self.created,
            modified=self.modified,
            events=self.events,
            instances=self.instances,
            unresolved=self.unresolved,
            rules=None if rules is None else RulesView(name=rules.name, version=rules.version),
            failed=len(failures),
            failures=failures[:MAX_FAILURES_SHOWN],
            last_record=self.clock,
            waits_behind=waits_behind,
        )


decode_start: Final = msgspec.msgpack.Decoder(HeaderStart).decode
decode_facts: Final = msgspec.msgpack.Decoder(HeaderFacts).decode
