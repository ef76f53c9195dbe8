"""Changes sessions as an operator does, and by an event with its actor: rules, replay, skip, status, delete."""

from __future__ import annotations

from functools import partial

import msgspec
from starlette.responses import Response

from triggers.api.call import Call
from triggers.api.identity import Scope
from triggers.api.names import IDEMPOTENCY_KEY, INSTANCE, UID
from triggers.api.operations import JSON, Body, Handler, Media, Operation
from triggers.api.parameters import Parameter
from triggers.api.problems import Kind
from triggers.api.repair_bodies import (
    ANSWERS,
    EXPLAINED,
    REFUSALS,
    CancelBody,
    Recorded,
    ReplayBody,
    SkipBody,
    StatusBody,
)
from triggers.api.services import SOURCE, Services, json_response
from triggers.api.sessions import find_instance
from triggers.client.published_rules import StreamRules
from triggers.client.repair_checks import Check, require_repairable, require_settable, require_unfinished
from triggers.codec import encode_key
from triggers.codec.json_payloads import check_payload
from triggers.core.config import validate_configuration
from triggers.core.events import (
    CancelRequested,
    ConfigurationUpdated,
    DeletionRequested,
    OperatorEvent,
    ReplayRequested,
    SkipRequested,
    StatusSet,
)
from triggers.core.view import SessionView
from triggers.errors import BeingDeleted, RulesLocked, SessionNotFound, TryAgain, WrongStatus
from triggers.kafka.sender import Coordinates

_Repair = CancelRequested | ReplayRequested | SkipRequested | StatusSet


class Repairs:
    """The operations of operators on one session."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._max_payload_bytes = services.settings.max_payload_bytes

    def operations(self) -> list[Operation]:
        """Returns the operations of this class."""
        base = "/v1/sessions/{uid}"
        return [
            _repair(
                f"{base}/configuration",
                self.configure_session,
                "Add rules to a session, or replace those of the same tasks.",
                Body({JSON: Media({"type": "object"}, {"t_ship": {"after": ["orderPaid"], "run": "ship"}})}),
                parameters=(UID, IDEMPOTENCY_KEY),
            ),
            _repair(
                f"{base}/instances/{{instance}}/replay",
                self.replay_instance,
                "Run a failed instance again, as a new instance, optionally with other kwargs.",
                Body({JSON: Media(ReplayBody, {"kwargs": {"orderPaid": {"amount": 4}}})}, required=False),
            ),
            _repair(
                f"{base}/instances/{{instance}}/skip",
                self.skip_instance,
                "Resolve a failed instance without running it, optionally with a result that cascades.",
                Body({JSON: Media(SkipBody, {"cascade": True, "result": {"shipped": True}})}, required=False),
            ),
            _repair(
                f"{base}/instances/{{instance}}/cancel",
                self.cancel_instance,
                "End an instance that waits or is on its way: its task is not run, or its result is not wanted.",
                Body({JSON: Media(CancelBody, {"terminate": True})}, required=False),
            ),
            _repair(
                f"{base}/instances/{{instance}}/status",
                self.set_status,
                "Set the status of an instance.",
                Body({JSON: Media(StatusBody, {"status": "finished", "cascade": True})}),
            ),
            _delete(base, self.delete_session),
        ]

    async def configure_session(self, call: Call) -> Response:
        """Adds rules to a session."""
        uid, rules = call.name("uid"), await call.read_json()
        encode_key(uid)
        check_payload(rules, "the rules")
        validate_configuration(rules)
        await self._services.blocking.run(self._require_unlocked, uid)
        event = ConfigurationUpdated(configuration=rules, actor=call.principal.name, id=call.event_id)
        coordinates = await self._services.publisher.publish(uid, event, SOURCE)
        session = await self._session_after(uid, coordinates)
        return _respond(_recorded(uid, event, coordinates, is_applied=session is not None))

    async def replay_instance(self, call: Call) -> Response:
        """Replays a failed instance."""
        body = await call.read(ReplayBody)
        kwargs = None if body.kwargs is None else _object(msgspec.json.encode(body.kwargs), "kwargs")
        event = ReplayRequested(
            instance=call.name("instance"),
            replacement_kwargs=kwargs,
            actor=call.principal.name,
            id=call.event_id,
        )
        return await self._change(call, event, event.instance, partial(require_repairable, "replayed"))

    async def skip_instance(self, call: Call) -> Response:
        """Skips a failed instance."""
        body = await call.read(SkipBody)
        event = SkipRequested(
            instance=call.name("instance"),
            cascade=body.cascade,
            result=_object(bytes(body.result), "result"),
            actor=call.principal.name,
            id=call.event_id,
        )
        return await self._change(call, event, event.instance, partial(require_repairable, "skipped"))

    async def cancel_instance(self, call: Call) -> Response:
        """Cancels an instance."""
        body = await call.read(CancelBody)
        event = CancelRequested(
            instance=call.name("instance"),
            terminate=body.terminate,
            actor=call.principal.name,
            id=call.event_id,
        )
        return await self._change(call, event, event.instance, require_unfinished)

    async def set_status(self, call: Call) -> Response:
        """Sets the status of an instance."""
        body = await call.read(StatusBody)
        event = StatusSet(
            instance=call.name("instance"),
            status=body.status,
            metadata=_object(bytes(body.metadata), "metadata"),
            cascade=body.cascade,
            cascade_kwargs=_object(bytes(body.cascade_kwargs), "cascade_kwargs"),
            force=body.force,
            actor=call.principal.name,
            id=call.event_id,
        )
        return await self._change(call, event, event.instance, partial(require_settable, body.status, force=body.force))

    async def delete_session(self, call: Call) -> Response:
        """Deletes a session and waits until it is gone."""
        uid = call.name("uid")
        await self._services.blocking.run(self._services.reader.read, uid)
        event = DeletionRequested(actor=call.principal.name, id=call.event_id)
        coordinates = await self._services.publisher.publish(uid, event, SOURCE)
        try:
            exists = await self._session_after(uid, coordinates)
        except SessionNotFound:
            return _respond(_recorded(uid, event, coordinates))
        if exists is not None:
            raise BeingDeleted(f"session {uid!r:.300} was deleted, but it exists again: events of it still arrive")
        return _respond(_recorded(uid, event, coordinates, is_applied=False))

    async def _change(self, call: Call, event: _Repair, name: str, check: Check) -> Response:
        """Checks that the instance allows the event, publishes it, and returns the instance as it is afterwards.

        A repeated request finds the instance changed by the first one. Its key says so, by the id of that event.
        """
        uid, services = call.name("uid"), self._services
        session = await services.blocking.run(services.reader.read, uid)
        try:
            check(find_instance(session, name), session.edition)
        except WrongStatus:
            earlier = None if event.id is None else await services.blocking.run(self._earlier, session, event)
            if earlier is None:
                raise
            return _respond(_recorded(uid, event, earlier, session=session, name=name))
        coordinates = await services.publisher.publish(uid, event, SOURCE)
        after = await self._session_after(uid, coordinates)
        if after is None:
            return _respond(_recorded(uid, event, coordinates, is_applied=False))
        return _respond(_recorded(uid, event, coordinates, session=after, name=name))

    async def _session_after(self, uid: str, coordinates: Coordinates) -> SessionView | None:
        """Returns the session with the event applied, or None if its worker does not answer: the event is safe."""
        try:
            return await self._services.blocking.run(self._services.reader.read, uid, coordinates)
        except TryAgain:
            return None

    def _require_unlocked(self, uid: str) -> None:
        """Raises RulesLocked if the session's published rules allow no update. Blocks.

        If no worker answers, the event is published nevertheless, and the engine decides.
        """
        try:
            taken = self._services.reader.read(uid).rules
        except (SessionNotFound, TryAgain):
            return
        if taken is not None:
            publications = StreamRules(self._services.settings).publications()
            if any(each.locked for each in publications if (each.name, each.version) == (taken.name, taken.version)):
                raise RulesLocked(
                    f"the rules {taken.name!r:.300} (version {taken.version}) of session {uid!r:.300} are locked;"
                    " publish another version of them"
                )

    def _earlier(self, session: SessionView, event: OperatorEvent) -> Coordinates | None:
        """Returns the coordinates of an event of the same class and id in the session, or None. Blocks."""
        partition = self._services.reader.event_offsets(session.uid).partition
        for each in self._services.events.read_session(session.uid):
            if type(each) is type(event) and each.id == event.id:
                return Coordinates(partition, each.position)
        return None


def _recorded(
    uid: str,
    event: OperatorEvent,
    coordinates: Coordinates,
    *,
    is_applied: bool = True,
    session: SessionView | None = None,
    name: str = "",
) -> Recorded:
    instances = [] if session is None else session.instances
    return Recorded(
        session=uid,
        partition=coordinates.partition,
        offset=coordinates.offset,
        id=event.id,
        is_applied=is_applied,
        instance=next((each for each in instances if each.name == name), None),
        replays=[each.name for each in instances if each.parent == name],
    )


def _respond(recorded: Recorded) -> Response:
    return json_response(recorded, 200 if recorded.is_applied else 202)


def _object(payload: bytes, name: str) -> bytes:
    """Returns a payload that is an object. Raises Undecodable."""
    check_payload(payload, name)
    return payload


def _repair(
    path: str,
    handler: Handler,
    summary: str,
    body: Body,
    *,
    parameters: tuple[Parameter, ...] = (UID, INSTANCE, IDEMPOTENCY_KEY),
) -> Operation:
    return Operation(
        method="POST",
        path=path,
        handler=handler,
        scope=Scope.OPERATE,
        tag="operate",
        summary=summary,
        description=EXPLAINED,
        parameters=parameters,
        body=body,
        answers=ANSWERS,
        problems=REFUSALS,
    )


def _delete(path: str, handler: Handler) -> Operation:
    return Operation(
        method="DELETE",
        path=path,
        handler=handler,
        scope=Scope.ADMIN,
        tag="operate",
        summary="Delete everything in a session.",
        description="Results that arrive later change nothing. A later event begins a new session.",
        parameters=(UID, IDEMPOTENCY_KEY),
        answers=ANSWERS,
        problems=(Kind.SESSION_NOT_FOUND, Kind.CONFLICT, Kind.UNAVAILABLE, Kind.OVERLOADED),
    )
