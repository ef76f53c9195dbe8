"""Converts the objects that an embedded storage stores into the session of the engine, and back.

State that only the engine needs is stored in `instance.engine` and under `engine` in the session's metadata. If it is
missing, the Triggers framework itself wrote the session; the engine continues such a session. A session of edition 2
keeps the engine's rows there (`stored_rows`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

import msgspec
from msgspec import structs

from triggers.core.config import BLOCKS
from triggers.core.edition_2_plan import BLOCKS as BLOCKS_OF_EDITION_2
from triggers.core.edition_2_plan import EDITION
from triggers.core.engine import apply
from triggers.core.events import TimerFired
from triggers.core.instance_names import parse_instance_name
from triggers.core.plan import Plan
from triggers.core.state.cohorts import add_to_cohort, find_cohort
from triggers.core.state.header import Header
from triggers.core.state.header_codec import encode_header
from triggers.core.state.header_parts import RuleBinding
from triggers.core.state.held_fires import held_fires, store_fires
from triggers.core.state.instance import Instance
from triggers.core.state.latest import UNKNOWN_FIRE, Stamp, stamp_of
from triggers.core.state.rows import TIMER_ROW, configuration_key, header_key, session_prefix, timer_key
from triggers.core.state.session import Session
from triggers.core.statuses import CLOSES_ATTEMPT, Status
from triggers.core.view import view_session
from triggers.errors import CallError
from triggers.storages.published_rules import published_rows
from triggers.storages.session_objects import HELD_BY_OBJECTS, SessionObjects, milliseconds, objects_of
from triggers.storages.stored_rows import PLANS, ROWS, LiveSession, freeze_rows, thaw_rows
from triggers.types import TaskConfig, TaskInstance

ENGINE: Final = "engine"
"""Key of the engine's state in the stored metadata of a session and of an instance."""

SHADOWED: Final = "shadowed"
"""Key in an instance's `engine` of metadata whose names the stored object uses for something else."""
_STAMPS_ONLY: Final = frozenset({"created", "lastModified"})
_IN_OBJECTS: Final = frozenset(
    {"status", "kwargs", "unless_seen", "stamps", "metadata", "result", "configuration", "sequence", "spans", "fired"}
)
"""Fields of the engine's instance that the object contains or that can be derived, and the spans, of which embedded
storages have none."""
_AS_STORED: Final = [each.name for each in fields(Instance) if each.name not in _IN_OBJECTS]
"""The other fields of the engine's instance, which are stored unchanged."""

_DERIVED: Final = frozenset(
    {
        *("configuration", "tasks", "tasks_spilled", "latest", "latest_spilled"),
        *("payloads", "instances", "unresolved", "tail", "chunks", "edition_2"),
    }
)
"""Fields of the engine's header that can be derived."""
_HEADER_AS_STORED: Final = [each.name for each in fields(Header) if each.name not in _DERIVED]
"""The other fields of the engine's header, which are stored unchanged."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


def thaw(uid: str, stored: SessionObjects, engine: Mapping[str, Any]) -> LiveSession:
    """Returns the engine's session for stored objects.

    Raises InvalidConfiguration, CallError if the instances are not in the order of their numbers, and NotSupported if
    objects of edition 2 were changed by hand.
    """
    if ROWS in engine:
        return thaw_rows(uid, stored, engine)
    rows = published_rows()
    if engine.get("header"):
        rows[header_key(uid)] = encode_header(_header(engine["header"]))
    prefix = session_prefix(uid) + b"d"
    rows.update({prefix + bytes.fromhex(n): bytes.fromhex(row) for n, row in engine.get("idChunks", {}).items()})
    session = Session(uid, rows, PLANS)
    tasks = {} if _takes_published_rules(session, stored, engine) else stored.tasks
    session.exists = session.exists or (not engine.get("header") and bool(tasks))
    _thaw_configurations(LiveSession(session, rows), tasks, engine)
    for instance in _in_order(stored.instances):
        _thaw_instance(session, instance)
    fired = engine.get("fired", {})
    for trigger, kwargs in stored.latest_kwargs.items():
        stamp = msgspec.convert(fired[trigger], Stamp) if trigger in fired else UNKNOWN_FIRE
        session.payloads.set_latest(trigger, stamp, session.payloads.add(_encode(kwargs)), held=False)
    rows.write(session.changes())
    if wake := session.header.wake:
        rows[timer_key(wake, uid, "", 0)] = TIMER_ROW
    return LiveSession(session, rows)


def _takes_published_rules(session: Session, stored: SessionObjects, engine: Mapping[str, Any]) -> bool:
    """Returns whether the session begins with published rules, which come before a storage's default configuration."""
    return not engine.get("header") and not stored.instances and session.catalog.rules_for(session.uid) is not None


def freeze(live: LiveSession) -> tuple[SessionObjects, dict[str, Any]]:
    """Returns the session's objects, and the state of the engine for the session's metadata."""
    session, rows = live.session, live.rows
    rows.write(session.changes())
    if session.plan.edition_2 is not None:
        return freeze_rows(live)
    objects = objects_of(view_session(session))
    if header_key(session.uid) not in rows:
        return objects, {}
    needed = _freeze_instances(session, objects)
    prefix = session_prefix(session.uid) + b"d"
    header = {name: value for name in _HEADER_AS_STORED if (value := getattr(session.header, name))}
    if session.header.published is not None:
        header["published"] = structs.astuple(session.header.published)
    engine = {
        "header": header | {"ids": session.header.ids.hex()},
        "hidden": _hidden(session.plan, objects.tasks),
        "tasks": list(objects.tasks),
        "idChunks": {key[len(prefix) :].hex(): row.hex() for key, row in rows.scan(prefix)},
        "fired": {trigger: list(stamp_of(record)) for trigger, record in session.latest.all().items()},
        "configurations": {digest.hex(): rows[configuration_key(digest)].decode() for digest in sorted(needed)},
    }
    return objects, {key: value for key, value in engine.items() if value}


def _header(stored: Mapping[str, Any]) -> Header:
    known = {name: value for name, value in stored.items() if name in _HEADER_AS_STORED}
    if "published" in known:
        known["published"] = msgspec.convert(known["published"], RuleBinding)
    return Header(**known | {"ids": bytes.fromhex(stored["ids"])})


def delete_remaining_rows(live: LiveSession, now: int) -> None:
    """Deletes the remaining rows of a large session at once. On the stream a timer does it in steps."""
    while live.session.header.sweeping:
        live.rows.write(live.session.changes())
        due = live.session.header.wake
        apply(live.session, TimerFired(instance="", attempt=0, due=due, time=max(now, due)))


def _in_order(instances: Mapping[str, TaskInstance]) -> list[TaskInstance]:
    """Returns the instances in creation order; by number, if the backend lost the order and none was stored."""
    ordered = sorted(instances.values(), key=_sequence)
    numbers = [(instance.config.name, parse_instance_name(instance.name)[1]) for instance in ordered]
    lost = any(numbers[index] != of for index, of in _by_number(numbers))
    return sorted(ordered, key=lambda each: (_sequence(each), parse_instance_name(each.name)[1])) if lost else ordered


def _by_number(numbers: list[tuple[str, int]]) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yields each index and the (task, number) expected there, if every task's instances are ordered by number."""
    count: Counter[str] = Counter()
    for index, (task, _) in enumerate(numbers):
        yield index, (task, count[task])
        count[task] += 1


def _sequence(instance: TaskInstance) -> int:
    return int(instance.engine.get("sequence", 1 << 62))


def _thaw_configurations(live: LiveSession, tasks: Mapping[str, TaskConfig], engine: Mapping[str, Any]) -> None:
    """Restores the current configuration, and older ones that scheduled instances still refer to."""
    for digest, text in engine.get("configurations", {}).items():
        live.rows[configuration_key(bytes.fromhex(digest))] = text.encode()
    hidden = engine.get("hidden", {})
    if tasks:
        blocks = {name: hidden[name] for name in block_names(hidden) if name in hidden}
        rules = {name: hidden.get(name, {}) | task.serialize() for name, task in tasks.items()}
        live.session.configure(PLANS.compile(_encode(blocks | rules)))


def block_names(configuration: Mapping[str, Any]) -> Collection[str]:
    """Returns the names in a configuration of its edition that do not name tasks."""
    return BLOCKS_OF_EDITION_2 if configuration.get(EDITION) == 2 else BLOCKS


def _hidden(plan: Plan, tasks: Mapping[str, TaskConfig]) -> dict[str, Any]:
    """Returns the parts of the configuration that the tasks' objects do not contain, such as limits and timeouts."""
    whole: dict[str, Any] = msgspec.json.decode(plan.text)
    hidden = {name: value for name, value in whole.items() if name not in tasks}
    for name, task in tasks.items():
        shown = task.serialize()
        if more := {key: value for key, value in whole[name].items() if key not in shown}:
            hidden[name] = more
    return hidden


def _thaw_instance(session: Session, stored: TaskInstance) -> None:
    task, number = parse_instance_name(stored.name)
    instance = _engine_instance(session, stored, number)
    state = session.task_state(task)
    loaded = session.instances.add(task, state, instance)
    if loaded.number != number or task != stored.config.name:
        raise CallError(f"session {session.uid!r}: {stored.name!r} is not the next instance of {stored.config.name!r}")
    if instance.is_resolved:
        session.instances.count_resolved(state, 1)
    if instance.status == Status.UNSTARTED:
        add_to_cohort(state, loaded)
    if due := instance.due or instance.deadline:
        session.write_shared(timer_key(due, session.uid, stored.name, instance.attempt), TIMER_ROW)


def _engine_instance(session: Session, stored: TaskInstance, number: int) -> Instance:
    instance = _as_known(session, stored, number)
    for field in _AS_STORED:
        if field in stored.engine:
            setattr(instance, field, stored.engine[field])
    if fires := stored.engine.get("fires"):
        store_fires(instance, {slot: (clock, order) for slot, (clock, order) in fires.items()})
    return instance


def _as_known(session: Session, stored: TaskInstance, number: int) -> Instance:
    """Returns the engine's instance as far as its object describes it, which is all that the framework stored."""
    metadata = stored.metadata
    stamps = {name: milliseconds(when) for name, when in (metadata.get("timestamps") or {}).items()}
    waits = stored.status in {Status.UNSTARTED, Status.ABANDONED}
    parent = metadata.get("parent")
    return Instance(
        sequence=session.header.instances,
        created=stamps.get("created", 0),
        modified=stamps.get("lastModified", 0),
        status=stored.status,
        kwargs={trigger: session.payloads.add(_encode(kwargs)) for trigger, kwargs in sorted(stored.kwargs.items())},
        unless_seen=sorted(stored.abandon_state),
        attempt=0 if waits else 1,
        attempt_closed=not waits and stored.status in CLOSES_ATTEMPT,
        configuration=_configuration(session, stored),
        stamps={name: when for name, when in stamps.items() if name not in _STAMPS_ONLY},
        metadata={key: text.encode() for key, text in stored.engine.get(SHADOWED, {}).items()}
        | {key: _encode(value) for key, value in metadata.items() if key not in HELD_BY_OBJECTS},
        depth=stored.depth,
        parent=parse_instance_name(parent)[1] if parent else (number - 1 if stored.depth else -1),
    )


def _configuration(session: Session, stored: TaskInstance) -> bytes:
    """Returns the digest of the configuration from which the command's kwargs are derived.

    It is empty for an instance that has run, because its metadata contains the kwargs themselves.
    """
    if TaskInstance.META_ACTUAL_KWARGS in stored.metadata:
        return b""
    digest: str | None = stored.engine.get("configuration")
    return bytes.fromhex(digest) if digest else session.header.configuration


_USED = HELD_BY_OBJECTS | {ENGINE}


def _freeze_instances(session: Session, objects: SessionObjects) -> set[bytes]:
    """Adds the engine's state to the objects. Returns the digests of older configurations that are still needed."""
    needed, states = set(), session.tasks.all()
    for loaded in session.instances.scan():
        stored, instance = objects.instances[loaded.name], loaded.instance
        stored.engine |= {name: getattr(instance, name) for name in _AS_STORED}
        if shadowed := {key: bytes(value).decode() for key, value in instance.metadata.items() if key in _USED}:
            stored.engine[SHADOWED] = shadowed
        if cohort := find_cohort(states[loaded.task], loaded.number):
            stored.engine["fires"] = {slot: list(fire) for slot, fire in held_fires(instance, cohort).items()}
        if instance.status == Status.SCHEDULED and instance.configuration not in {b"", session.header.configuration}:
            stored.engine["configuration"] = instance.configuration.hex()
            needed.add(instance.configuration)
    return needed
