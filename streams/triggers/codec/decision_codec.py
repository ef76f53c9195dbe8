"""Encodes and decodes the records of `<ns>.decisions`, which say what each event did to its session."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from triggers.codec.avro_records import MARKER, avro_codec
from triggers.codec.event_shapes import wire_name
from triggers.codec.reasons import Reason
from triggers.core.decision import Decision, FireRecord
from triggers.core.events import Event, ReplayRequested, SkipRequested, TaskRetried
from triggers.core.statuses import Status
from triggers.errors import Undecodable

_DECISIONS = avro_codec("decision")


class DecisionRecord(Struct, frozen=True, kw_only=True):
    """A decision in the decision feed. The partition and offset of the event identify it."""

    session: str
    partition: int
    offset: int
    event_id: str = ""
    kind: str
    """The event's `type` in plain JSON: fire, configure, finished, replay, …"""
    instance: str = ""
    """The instance that the event is about, or empty if it is about none."""
    outcome: str
    time: int
    """Time of the event in milliseconds since 1970-01-01 UTC."""
    manager: str = ""
    """Key of the manager whose hooks are to run, or empty if the configuration names none."""
    fires: list[FireRecord] = []
    changes: list[tuple[str, str]] = []
    """(instance, status) for every status that an instance took, in order."""
    replay: str | None = None
    """The new instance that replays `instance`, if the event caused a replay."""
    cascade: bool = False
    """True if the event is a skip whose simulated result cascaded."""


def decision_record(uid: str, partition: int, event: Event, decision: Decision, manager: str = "") -> DecisionRecord:
    """Builds the record of a decision. The event was read from that partition."""
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
    """Encodes a decision in Avro single-object encoding."""
    fields = msgspec.structs.asdict(record)
    fields["fires"] = [{"trigger": fire.trigger, "scheduled": fire.scheduled} for fire in record.fires]
    fields["changes"] = [{"instance": instance, "status": status} for instance, status in record.changes]
    return _DECISIONS.encode(fields)


def decode_decision(value: bytes | None) -> DecisionRecord:
    """Decodes a decision. Raises Undecodable."""
    if not value:
        raise Undecodable(Reason.EMPTY_VALUE)
    if value[:2] != MARKER:
        raise Undecodable(Reason.UNKNOWN_FORMAT, f"a decision must be single-object Avro; it starts with {value[:8]!r}")
    fields = _DECISIONS.decode(value)
    fields["fires"] = [FireRecord(fire["trigger"], tuple(fire["scheduled"])) for fire in fields["fires"]]
    fields["changes"] = [(change["instance"], change["status"]) for change in fields["changes"]]
    return DecisionRecord(**fields)


def _replay(event: Event, decision: Decision) -> str | None:
    """Returns the instance that was created when the event's instance became `replayed`, or None."""
    if not isinstance(event, ReplayRequested | TaskRetried):
        return None
    return decision.changed[decision.changed.index((event.instance, Status.REPLAYED)) + 1][0]
