"""The import of a session from another storage. One event carries all of its state:

    {"configuration": {"t_import": {"after": ["page"], "run": "app.Import"}},
     "instances": [{"name": "t_import#0", "status": "unstarted", "kwargs": {}, "abandon_state": [], "metadata": {}}],
     "latest_kwargs": {"page": {"n": 3}}, "created": 1700000000000}

Instances are listed in the order in which they were created. Their fields are those of `InstanceView`.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from triggers.core.decision import Decision
from triggers.core.decision_builder import DecisionBuilder
from triggers.core.edition_2_plan import EDITION
from triggers.core.events import SessionImported
from triggers.core.instance_names import instance_name, parse_instance_name
from triggers.core.lifecycle import join_cohort, schedule_attempt
from triggers.core.plan import Plan
from triggers.core.state.instance import Instance, Payload
from triggers.core.state.latest import Stamp
from triggers.core.state.session import Session
from triggers.core.statuses import IN_FLIGHT, Status
from triggers.core.timer_rows import set_timer
from triggers.errors import CallError, InstanceNotFound, InvalidConfiguration, SessionExists

_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Time = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
_ACTUAL_KWARGS: Final = "actualKwargs"


class ImportedInstance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instance of an imported session, with the fields of `InstanceView`."""

    name: str
    status: str = Status.UNSTARTED
    kwargs: dict[str, Raw] = {}
    abandon_state: list[str] = []
    metadata: dict[str, Raw] = {}
    depth: _Count = 0
    parent: str | None = None
    attempt: _Count = 0
    created: _Time = 0
    modified: _Time = 0
    timestamps: dict[str, _Time] = {}
    due: _Time | None = None
    deadline: _Time | None = None
    cascade_depth: _Count = 0


class ImportedSession(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state of an imported session."""

    configuration: Raw
    instances: list[ImportedInstance] = []
    latest_kwargs: dict[str, Raw] = {}
    created: _Time = 0


_decode_state = msgspec.json.Decoder(ImportedSession).decode


def import_session(session: Session, event: SessionImported) -> Decision:
    """Creates the session from the imported state. With `reissue`, also issues commands in flight again.

    Raises SessionExists, InvalidConfiguration, or CallError that names the instance, before anything is changed.
    """
    if session.exists:
        raise SessionExists(f"session {session.uid!r} exists already; import it under a UID that is not in use")
    state = _decoded(event.state)
    plan = session.merge_configuration(bytes(state.configuration))
    if plan.edition_2 is not None:
        raise InvalidConfiguration(f"{EDITION!r}: 2: an imported session has rules of edition 1 only; remove it")
    _check_instances(state, plan)
    builder, payloads = DecisionBuilder(session, event), _DistinctPayloads(session)
    if plan.tasks:
        session.configure(plan)
    session.header.created = state.created
    for imported in state.instances:
        _add_instance(builder, imported, payloads)
    stamp = session.clock, 0, 0  # they count as fired now, in no order
    for trigger, kwargs in state.latest_kwargs.items():
        payloads.set_latest(trigger, stamp, bytes(kwargs))
    for imported in state.instances:
        _resume(builder, imported, reissue=event.reissue)
    return builder.build()


class _DistinctPayloads:
    """Stores each distinct payload only once."""

    def __init__(self, session: Session) -> None:
        self._payloads = session.payloads
        self._stored: dict[bytes, Payload] = {}

    def store(self, payload: bytes) -> Payload:
        """Stores a payload for an instance and returns what the instance holds."""
        if payload not in self._stored:
            self._stored[payload] = self._payloads.add(payload)
        return self._stored[payload]

    def set_latest(self, trigger: str, stamp: Stamp, payload: bytes) -> None:
        """Stores a trigger's latest kwargs, after the instances that may share the payload."""
        held = payload in self._stored
        latest = self._stored[payload] if held else self._payloads.add(payload)
        self._payloads.set_latest(trigger, stamp, latest, held=held)


def _decoded(text: bytes) -> ImportedSession:
    try:
        return _decode_state(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CallError(f"the state of an imported session: {error}") from error


def _check_instances(state: ImportedSession, plan: Plan) -> None:
    counts: Counter[str] = Counter()
    for imported in state.instances:
        task, number = _parsed(imported.name)
        if task not in plan.tasks:
            raise CallError(f"instance {imported.name!r}: the configuration has no task {task!r}")
        if number != counts[task]:
            expected = instance_name(task, counts[task])
            raise CallError(f"instance {imported.name!r} is out of order; the next of its task must be {expected!r}")
        if imported.parent is not None and not _parsed(imported.parent)[1] < number:
            raise CallError(f"instance {imported.name!r}: its parent {imported.parent!r} must have a lower number")
        counts[task] += 1


def _parsed(name: str) -> tuple[str, int]:
    try:
        return parse_instance_name(name)
    except InstanceNotFound as error:
        raise CallError(str(error)) from error


def _add_instance(builder: DecisionBuilder, imported: ImportedInstance, payloads: _DistinctPayloads) -> None:
    session = builder.session
    task, _ = parse_instance_name(imported.name)
    instance = _instance(session, imported, payloads)
    state = session.task_state(task)
    loaded = session.instances.add(task, state, instance)
    if instance.is_resolved:
        session.instances.count_resolved(state, 1)
    if instance.status == Status.UNSTARTED:
        join_cohort(builder, loaded)
    builder.record_status(imported.name, instance.status)


def _instance(session: Session, imported: ImportedInstance, payloads: _DistinctPayloads) -> Instance:
    knows_kwargs = imported.attempt == 0 or _ACTUAL_KWARGS in imported.metadata
    return Instance(
        sequence=session.header.instances,
        created=imported.created,
        modified=imported.modified,
        status=imported.status,
        kwargs={trigger: payloads.store(bytes(kwargs)) for trigger, kwargs in imported.kwargs.items()},
        unless_seen=sorted(imported.abandon_state),
        attempt=imported.attempt,
        attempt_closed=imported.attempt > 0 and imported.status not in IN_FLIGHT,
        configuration=b"" if knows_kwargs else session.plan.digest,
        stamps=dict(imported.timestamps),
        metadata={key: bytes(value) for key, value in imported.metadata.items()},
        depth=imported.depth,
        cascade_depth=imported.cascade_depth,
        parent=-1 if imported.parent is None else parse_instance_name(imported.parent)[1],
    )


def _resume(builder: DecisionBuilder, imported: ImportedInstance, *, reissue: bool) -> None:
    """Restores the timer of an instance that is scheduled or running; with `reissue`, schedules a new attempt."""
    if imported.status not in IN_FLIGHT:
        return
    loaded = builder.session.instances.find(imported.name)
    if reissue:
        schedule_attempt(builder, loaded, max(0, (imported.due or 0) - builder.now))
    elif imported.due or imported.deadline:
        builder.session.instances.mark_changed(loaded)
        instance = loaded.instance
        instance.due, instance.deadline = imported.due or 0, imported.deadline or 0
        set_timer(builder, loaded, instance.due or instance.deadline)
