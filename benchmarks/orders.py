"""Orders of a shop, as operators search them: most are done, a few have failed, wait, or were cancelled.

A session is made in either of two ways. `events_of` returns its events, for Kafka. `Copies` makes its rows: the rows of
one session of its kind, which the engine and the agent's index have written, with another UID and other times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import msgspec
from msgspec.structs import replace

from triggers.agent.turns.partition_index import IndexUpdate
from triggers.codec import encode_event
from triggers.core.engine import apply
from triggers.core.events import Event, RulesPublished, TaskFailed, TaskFinished, TriggerFired
from triggers.core.state.header import Header
from triggers.core.state.header_codec import decode_header, encode_header
from triggers.core.state.plans import Plans
from triggers.core.state.rows import HEADERS, Changes, MemoryRows
from triggers.core.state.session import Session
from triggers.queries.index_rows import (
    COUNTS,
    FAILURES,
    REACH,
    Reach,
    decode_counts,
    encode_row,
)

NAME: Final = "orders"
FIRST_RULES: Final = {
    "t_charge": {"after": ["orderPlaced"], "run": "shop.charge"},
    "t_pack": {"after": ["orderPlaced"], "run": "shop.pack"},
    "t_ship": {"after": ["t_charge", "t_pack"], "unless": ["orderCancelled"], "run": "shop.ship"},
}
RULES: Final = FIRST_RULES | {"t_wrap": {"after": ["giftChosen"], "run": "shop.wrap"}}
NEW_EVERY: Final = 100
"""Only every hundredth order begins with the first version of the rules."""
_START_MS: Final = 1_760_000_000_000
_STEP_MS: Final = 500
_TEMPLATE: Final = b"order-0000000"

_PLACED: Final = TriggerFired(trigger="orderPlaced", kwargs=b'{"customer":"c-4711","amount":129.95,"items":["a-17"]}')
_PAID: Final = TaskFinished(instance="t_charge#0", attempt=1, result=b'{"receipt":"r-88123"}')
_PACKED: Final = TaskFinished(instance="t_pack#0", attempt=1, result=b'{"parcel":7}')
_SHIPPED: Final = TaskFinished(instance="t_ship#0", attempt=1, result=b'{"tracking":"1Z-5510"}')
_DONE: Final = (_PLACED, _PAID, _PACKED, _SHIPPED)


def _failed(instance: str, kind: str, message: str) -> TaskFailed:
    return TaskFailed(instance=instance, attempt=1, exception_type=kind, exception_message=message)


KINDS: Final[dict[str, tuple[Event, ...]]] = {
    "done": _DONE,
    "declined": (_PLACED, _failed("t_charge#0", "shop.errors.Declined", "the card was declined")),
    "slow warehouse": (_PLACED, _PAID, _failed("t_pack#0", "builtins.TimeoutError", "warehouse 3 does not answer")),
    "waiting": (_PLACED, _PAID),
    "cancelled": (_PLACED, TriggerFired(trigger="orderCancelled"), _PAID, _PACKED),
    "gift": (*_DONE, TriggerFired(trigger="giftChosen", kwargs=b'{"paper":"blue"}')),
    "broken": (_PLACED, _PAID, _PACKED, _failed("t_ship#0", "shop.errors.NoCarrier", "no carrier for 99999")),
}
_OF_THOUSAND: Final = {"declined": 30, "slow warehouse": 10, "waiting": 15, "cancelled": 5, "gift": 2, "broken": 1}
_KINDS_OF_THOUSAND: Final = [kind for kind, number in _OF_THOUSAND.items() for _ in range(number)]


def uid_of(number: int) -> bytes:
    """Returns the UID of an order. All have the same length, which is part of the keys of rows."""
    return b"order-%07d" % number


def kind_of(number: int) -> str:
    """Returns the kind of an order. The kinds are scattered over all UIDs."""
    place = number * 7919 % 1000
    return _KINDS_OF_THOUSAND[place] if place < len(_KINDS_OF_THOUSAND) else "done"


def has_first_rules(number: int) -> bool:
    """Returns whether an order began with the first version of the rules."""
    return number % NEW_EVERY == 0


@cache
def events_of(kind: str) -> tuple[bytes, ...]:
    """Returns the encoded events of an order of this kind."""
    return tuple(map(encode_event, KINDS[kind]))


def publication(version: int) -> RulesPublished:
    """Returns the event that publishes a version of the rules."""
    rules = FIRST_RULES if version == 1 else RULES
    return RulesPublished(name=NAME, version=version, configuration=msgspec.json.encode(rules), match=["order-*"])


@dataclass(frozen=True, slots=True)
class _Template:
    header: bytes
    rows: list[tuple[bytes, bytes]]
    failures: list[tuple[bytes, bytes]]
    counts: dict[bytes, dict[str, int]]


@dataclass(slots=True)
class Copies:
    """Makes the rows of orders in one partition, and counts their instances for its index."""

    _counts: dict[bytes, Counter[str]] = field(default_factory=dict)

    @staticmethod
    def shared() -> list[tuple[bytes, bytes]]:
        """Returns the rows of the partition that no session owns: the published rules and their configurations."""
        return list(_with_rules(2).items())

    def rows_of(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """Yields the rows of an order, and the index of its failures."""
        template = _template(kind_of(number), 1 if has_first_rules(number) else 2)
        uid, shift = uid_of(number), number * _STEP_MS
        yield HEADERS + uid, _later(template.header, shift)
        for key, row in (*template.rows, *template.failures):
            yield key.replace(_TEMPLATE, uid), row
        for key, counts in template.counts.items():
            self._counts.setdefault(key, Counter()).update(counts)

    def index(self) -> list[tuple[bytes, bytes]]:
        """Returns the counts of all orders so far, and the row that says that they are complete."""
        counts = [(key, encode_row(dict(sorted(numbers.items())))) for key, numbers in self._counts.items()]
        return [*counts, (REACH, encode_row(Reach(until=None)))]


def _later(header: bytes, ms: int) -> bytes:
    decoded: Header = decode_header(header)
    decoded.created += ms
    decoded.modified += ms
    decoded.clock += ms
    return encode_header(decoded)


@cache
def _with_rules(version: int) -> MemoryRows:
    rows, plans = MemoryRows(), Plans()
    for number in range(1, version + 1):
        event = replace(publication(number), position=number, time=_START_MS)
        rows.write(plans.publish(event, rows))
    return rows


@cache
def _template(kind: str, version: int) -> _Template:
    """Applies the events of an order as an agent does, one in each batch."""
    shared = _with_rules(version)
    rows, plans = MemoryRows(shared), Plans()
    for number, event in enumerate(KINDS[kind], 10):
        session, index = Session(_TEMPLATE.decode(), rows, plans), IndexUpdate()
        apply(session, replace(event, position=number, time=_START_MS + number))
        changes: Changes = session.changes()
        index.add(session.uid, session.moved)
        rows.write(changes | index.changes(rows, {}))
    own = [(key, row) for key, row in sorted(rows.items()) if key not in shared]
    return _Template(
        header=rows[HEADERS + _TEMPLATE],
        rows=[item for item in own if item[0].startswith(b"r")],
        failures=[item for item in own if item[0].startswith(FAILURES)],
        counts={key: decode_counts(row) for key, row in own if key.startswith(COUNTS)},
    )
