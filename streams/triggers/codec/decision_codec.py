"""Bytes ⇄ records of `<ns>.decisions`: what each event did to its session."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from triggers.codec.avro_records import MARKER, records_of
from triggers.codec.event_shapes import wire_name
from triggers.codec.reasons import Reason
from triggers.core.commands import Decision, Fire
from triggers.core.events import Event, ReplayRequested, SkipRequested, TaskRetried
from triggers.core.statuses import Status
from triggers.errors import Undecodable

_DECISIONS = records_of("decision")


class DecisionRecord(Struct, frozen=True, kw_only=True):
    """A decision as its readers see it. Partition and offset of the event name it."""

    session: str
    partition: int
    offset: int
    event_id: str = ""
    kind: str
    """Of the event, as in plain JSON: fire, configure, finished, replay, …"""
    instance: str = ""
    """The instance that the event is about; empty: none."""
    outcome: str
    time: int
    """Milliseconds since 1970-01-01 UTC."""
    manager: str = ""
    """Key of the manager whose hooks are to run; empty: the configuration names none."""
    fires: list[Fire] = []
    changes: list[tuple[str, str]] = []
    """(instance, status), in order."""
    replay: str | None = None
    """The new instance that replays `instance`."""
    cascade: bool = False
    """Of a skip: whether its simulated result cascaded."""


def describe(uid: str, partition: int, event: Event, decision: Decision, manager: str = "") -> DecisionRecord:
    """What the event, which lies on that partition, did."""
    return DecisionRecord(
        session=uid,
        partition=partition,
        offset=event.position,
        event_id=event.id or "",
        kind=wire_name(type(event)),
        instance=getattr(event, "instance", ""),
        outcome=decision.outcome.value,
        time=event.time,
        manager=manager,
        fires=decision.fires,
        changes=decision.changed,
        replay=_replay(event, decision),
        cascade=isinstance(event, SkipRequested) and event.cascade,
    )


def encode_decision(record: DecisionRecord) -> bytes:
    """The decision in Avro single-object encoding."""
    fields = msgspec.structs.asdict(record)
    fields["fires"] = [{"trigger": fire.trigger, "scheduled": fire.ready} for fire in record.fires]
    fields["changes"] = [{"instance": instance, "status": status} for instance, status in record.changes]
    return _DECISIONS.encode(fields)


def decode_decision(value: bytes | None) -> DecisionRecord:
    """Raises Undecodable."""
    if not value:
        raise Undecodable(Reason.EMPTY_VALUE)
    if value[:2] != MARKER:
        raise Undecodable(Reason.UNKNOWN_FORMAT, f"a decision is Avro single-object, it starts with {value[:8]!r}")
    fields = _DECISIONS.decode(value)
    fields["fires"] = [Fire(fire["trigger"], tuple(fire["scheduled"])) for fire in fields["fires"]]
    fields["changes"] = [(change["instance"], change["status"]) for change in fields["changes"]]
    return DecisionRecord(**fields)


def _replay(event: Event, decision: Decision) -> str | None:
    """The instance that was made when its parent became `replayed`."""
    if not isinstance(event, ReplayRequested | TaskRetried):
        return None
    return decision.changed[decision.changed.index((event.instance, Status.REPLAYED)) + 1][0]
