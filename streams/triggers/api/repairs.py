"""Changes sessions on behalf of an operator, by events with their actor: rules, replay, skip, status, delete."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from triggers.api.call import Call
from triggers.api.identity import Scope
from triggers.api.names import IDEMPOTENCY_KEY, INSTANCE, UID
from triggers.api.operations import JSON, Body, Handler, Media, Operation
from triggers.api.parameters import Parameter
from triggers.api.problems import Kind
from triggers.api.repair_bodies import (
    DESCRIPTION,
    REFUSALS,
    RESPONSES,
    AdoptBody,
    CancelBody,
    Recorded,
    ReplayBody,
    SkipBody,
    StatusBody,
)
from triggers.api.services import Services, json_response
from triggers.client.session_repairs import Repaired
from triggers.codec.json_payloads import check_payload
from triggers.core.events import (
    AdoptionRequested,
    CancelRequested,
    ConfigurationUpdated,
    DeletionRequested,
    ReplayRequested,
    SkipRequested,
    StatusSet,
)

_BASE: Final = "/v1/sessions/{uid}"


class Repairs:
    """The operations of operators on one session."""

    def __init__(self, services: Services) -> None:
        self._repairs = services.repairs

    def operations(self) -> list[Operation]:
        """Returns the operations of this class."""
        return [*self._operations_on_rules(), *self._operations_on_instances(), _delete(_BASE, self.delete_session)]

    def _operations_on_rules(self) -> list[Operation]:
        return [
            _repair(
                f"{_BASE}/configuration",
                self.configure_session,
                "Add rules to a session, or replace those of the same tasks.",
                Body({JSON: Media({"type": "object"}, {"t_ship": {"after": ["orderPaid"], "run": "ship"}})}),
                parameters=(UID, IDEMPOTENCY_KEY),
            ),
            _repair(
                f"{_BASE}/rules",
                self.adopt_rules,
                "Bind an existing session to a version of published rules, even if that version says `keep`.",
                Body({JSON: Media(AdoptBody, {"rules": "orders", "version": 3})}),
                parameters=(UID, IDEMPOTENCY_KEY),
            ),
        ]

    def _operations_on_instances(self) -> list[Operation]:
        return [
            _repair(
                f"{_BASE}/instances/{{instance}}/replay",
                self.replay_instance,
                "Run a failed instance again, as a new instance, optionally with other kwargs.",
                Body({JSON: Media(ReplayBody, {"kwargs": {"orderPaid": {"amount": 4}}})}, required=False),
            ),
            _repair(
                f"{_BASE}/instances/{{instance}}/skip",
                self.skip_instance,
                "Resolve a failed instance without running it, optionally with a result that cascades.",
                Body({JSON: Media(SkipBody, {"cascade": True, "result": {"shipped": True}})}, required=False),
            ),
            _repair(
                f"{_BASE}/instances/{{instance}}/cancel",
                self.cancel_instance,
                "End an instance that is neither failed nor resolved. Its task does not run, or has no effect.",
                Body({JSON: Media(CancelBody, {"terminate": True})}, required=False),
            ),
            _repair(
                f"{_BASE}/instances/{{instance}}/status",
                self.set_status,
                "Set the status of an instance.",
                Body({JSON: Media(StatusBody, {"status": "finished", "cascade": True})}),
            ),
        ]

    async def configure_session(self, call: Call) -> Response:
        """Adds rules to a session."""
        uid, rules = call.name("uid"), await call.read_json()
        event = ConfigurationUpdated(configuration=rules, actor=call.principal.name, id=call.event_id)
        return _respond(await self._repairs.configure(uid, event))

    async def adopt_rules(self, call: Call) -> Response:
        """Binds a session to published rules."""
        body = await call.read(AdoptBody)
        event = AdoptionRequested(name=body.rules, version=body.version, actor=call.principal.name, id=call.event_id)
        return _respond(await self._repairs.adopt(call.name("uid"), event))

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
        return _respond(await self._repairs.change(call.name("uid"), event))

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
        return _respond(await self._repairs.change(call.name("uid"), event))

    async def cancel_instance(self, call: Call) -> Response:
        """Cancels an instance."""
        body = await call.read(CancelBody)
        event = CancelRequested(
            instance=call.name("instance"),
            terminate=body.terminate,
            actor=call.principal.name,
            id=call.event_id,
        )
        return _respond(await self._repairs.change(call.name("uid"), event))

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
        return _respond(await self._repairs.change(call.name("uid"), event))

    async def delete_session(self, call: Call) -> Response:
        """Deletes a session and waits until it is gone."""
        event = DeletionRequested(actor=call.principal.name, id=call.event_id)
        return _respond(await self._repairs.delete(call.name("uid"), event))


def _respond(repaired: Repaired) -> Response:
    recorded = Recorded(
        session=repaired.uid,
        partition=repaired.coordinates.partition,
        offset=repaired.coordinates.offset,
        id=repaired.id,
        is_applied=repaired.is_applied,
        instance=repaired.instance,
        replays=repaired.replays,
    )
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
        description=DESCRIPTION,
        parameters=parameters,
        body=body,
        responses=RESPONSES,
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
        responses=RESPONSES,
        problems=(Kind.SESSION_NOT_FOUND, Kind.CONFLICT, Kind.KEY_REUSED, Kind.UNAVAILABLE, Kind.OVERLOADED),
    )
