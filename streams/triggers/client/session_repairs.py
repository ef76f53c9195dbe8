"""`SessionRepairs`: what operators do with one session, for the HTTP API and the console.

An operation is checked against the session as it is now, published as an event with its actor, and read back when a
worker has applied it. The command line does the same through a `TriggerManager`, with the same checks.
"""

from __future__ import annotations

from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from triggers.client.async_publisher import AsyncPublisher
from triggers.client.blocking_calls import BlockingCalls
from triggers.client.published_rules import StreamRules, version_to_adopt
from triggers.client.repair_checks import Check, require_repairable, require_settable, require_unfinished
from triggers.client.repeated_operations import find_repeated
from triggers.client.session_events import SessionEvents
from triggers.client.session_reader import SessionReader
from triggers.codec import encode_key
from triggers.codec.json_payloads import check_payload
from triggers.core.config import validate_configuration
from triggers.core.events import (
    AdoptionRequested,
    CancelRequested,
    ConfigurationUpdated,
    DeletionRequested,
    OperatorEvent,
    ReplayRequested,
    SkipRequested,
    StatusSet,
)
from triggers.core.view import InstanceView, SessionView
from triggers.errors import (
    BeingDeleted,
    InstanceNotFound,
    InvalidConfiguration,
    NotFound,
    RulesLocked,
    SessionNotFound,
    TryAgain,
    WrongStatus,
)
from triggers.kafka.sender import Coordinates
from triggers.settings import Settings

InstanceRepair = CancelRequested | ReplayRequested | SkipRequested | StatusSet
"""An operator's event about one instance."""


class Repaired(Struct, frozen=True, kw_only=True):
    """An operator's event that Kafka has acknowledged."""

    uid: str
    coordinates: Coordinates
    id: str | None
    is_applied: bool = True
    """False if no worker has confirmed yet that it applied the event."""
    instance: InstanceView | None = None
    """The instance after the event, or None if the event is about the whole session, or is not applied yet."""
    replays: list[str] = []
    """Names of the instances that run the task again."""


class SessionRepairs:
    """The operations. They are awaited in the event loop of the publisher."""

    def __init__(
        self,
        settings: Settings,
        publisher: AsyncPublisher,
        reader: SessionReader,
        events: SessionEvents,
        blocking: BlockingCalls,
        *,
        source: str,
    ) -> None:
        """`blocking` runs what blocks in threads; `source` names this process in the records of the events."""
        self._settings = settings
        self._publisher = publisher
        self._reader = reader
        self._events = events
        self._run = blocking.run
        self._source = source

    async def change(self, uid: str, event: InstanceRepair) -> Repaired:
        """Checks that the instance allows the event, publishes it, and returns the instance as it is afterwards.

        A repeated request, which has the id of the first one, gets the event of that. Raises SessionNotFound,
        InstanceNotFound, WrongStatus, IdReused, TooLarge and TryAgain.
        """
        earlier = await self._run(self._find_earlier, uid, event)
        session = await self._run(self._reader.read, uid)
        if earlier is not None:
            return _repaired(uid, event, earlier, session)
        check_of(event)(find_instance(session, event.instance), session.edition)
        coordinates = await self._publisher.publish(uid, event, self._source)
        after = await self._read_after(uid, coordinates)
        if after is not None and await self._run(self._is_refused, uid, coordinates):
            raise WrongStatus(
                f"another event came first, so that {event.instance!r:.300} is"
                f" {find_instance(after, event.instance).status} now; the dead letter of this one says why"
            )
        return _repaired(uid, event, coordinates, after)

    async def configure(self, uid: str, event: ConfigurationUpdated) -> Repaired:
        """Adds rules to a session. Raises InvalidConfiguration, RulesLocked and IdReused as well."""
        encode_key(uid)
        check_payload(event.configuration, "the rules")
        validate_configuration(event.configuration)
        if (earlier := await self._run(self._find_earlier, uid, event)) is not None:
            return Repaired(uid=uid, coordinates=earlier, id=event.id)
        await self._run(self._require_unlocked, uid)
        coordinates = await self._publisher.publish(uid, event, self._source)
        session = await self._read_after(uid, coordinates)
        if session is not None and await self._run(self._is_refused, uid, coordinates):
            raise InvalidConfiguration(
                f"session {uid!r:.300} does not accept these rules; the dead letter of the event says why"
            )
        return Repaired(uid=uid, coordinates=coordinates, id=event.id, is_applied=session is not None)

    async def adopt(self, uid: str, event: AdoptionRequested) -> Repaired:
        """Binds a session to a version of published rules; 0 means the newest one.

        Raises SessionNotFound, NotFound for rules that nobody has published, CallError for a version that the session
        would leave again, InvalidConfiguration if the session's own rules do not fit it, and IdReused.
        """
        await self._run(self._reader.read, uid)
        if (earlier := await self._run(self._find_earlier, uid, event)) is not None:
            return Repaired(uid=uid, coordinates=earlier, id=event.id)
        version = await self._run(self._version_to_adopt, event)
        event = replace(event, version=version)
        coordinates = await self._publisher.publish(uid, event, self._source)
        session = await self._read_after(uid, coordinates)
        rules = None if session is None else session.rules
        if session is not None and (rules is None or (rules.name, rules.version) != (event.name, version)):
            raise InvalidConfiguration(
                f"session {uid!r:.300} did not adopt version {version} of the rules {event.name!r:.300};"
                " the dead letter of the event says why"
            )
        return Repaired(uid=uid, coordinates=coordinates, id=event.id, is_applied=session is not None)

    async def delete(self, uid: str, event: DeletionRequested) -> Repaired:
        """Deletes a session and waits until it is gone.

        Raises BeingDeleted if it has begun again at once, and IdReused.
        """
        await self._run(self._reader.read, uid)
        await self._run(self._find_earlier, uid, event)
        coordinates = await self._publisher.publish(uid, event, self._source)
        try:
            session = await self._read_after(uid, coordinates)
        except SessionNotFound:
            return Repaired(uid=uid, coordinates=coordinates, id=event.id)
        if session is not None:
            raise BeingDeleted(f"session {uid!r:.300} was deleted, but it exists again: events of it still arrive")
        return Repaired(uid=uid, coordinates=coordinates, id=event.id, is_applied=False)

    async def _read_after(self, uid: str, coordinates: Coordinates) -> SessionView | None:
        """Returns the session with the event applied, or None if its worker does not answer."""
        try:
            return await self._run(self._reader.read, uid, coordinates)
        except TryAgain:
            return None

    def _is_refused(self, uid: str, coordinates: Coordinates) -> bool:
        """Returns whether the session has refused an event that its worker has read. Blocks."""
        try:
            return not self._reader.is_applied(uid, coordinates)
        except (SessionNotFound, TryAgain):
            return False  # it was deleted meanwhile, or its worker has ended

    def _version_to_adopt(self, event: AdoptionRequested) -> int:
        return version_to_adopt(event.name, event.version, StreamRules(self._settings).publications())

    def _require_unlocked(self, uid: str) -> None:
        """Raises RulesLocked if the session's published rules do not allow updates. Blocks.

        If no worker answers, the event is published nevertheless, and the engine decides.
        """
        try:
            taken = self._reader.read(uid).rules
        except (SessionNotFound, TryAgain):
            return
        if taken is not None:
            publications = StreamRules(self._settings).publications()
            if any(each.locked for each in publications if (each.name, each.version) == (taken.name, taken.version)):
                raise RulesLocked(
                    f"the rules {taken.name!r:.300} (version {taken.version}) of session {uid!r:.300} are locked;"
                    " publish another version of them"
                )

    def _find_earlier(self, uid: str, event: OperatorEvent) -> Coordinates | None:
        """Returns the coordinates of the event that this one repeats, or None. Blocks. Raises IdReused.

        If the session's events cannot be read, the event is published nevertheless, and the engine decides.
        """
        if event.id is None:
            return None
        try:
            earlier = find_repeated(self._events.read_session(uid), event)
            partition = self._reader.event_offsets(uid).partition
        except (NotFound, TryAgain):
            return None
        return None if earlier is None else Coordinates(partition, earlier.position)


def check_of(event: InstanceRepair) -> Check:
    """Returns the check whether an instance allows the event."""
    match event:
        case ReplayRequested():
            return partial(require_repairable, "replayed")
        case SkipRequested():
            return partial(require_repairable, "skipped")
        case CancelRequested():
            return require_unfinished
        case StatusSet():
            return partial(require_settable, event.status, force=event.force)


def find_instance(session: SessionView, name: str) -> InstanceView:
    """Returns the instance of that name. Raises InstanceNotFound."""
    for instance in session.instances:
        if instance.name == name:
            return instance
    raise InstanceNotFound(f"session {session.uid!r:.300} has no instance {name!r:.300}")


def _repaired(uid: str, event: InstanceRepair, coordinates: Coordinates, session: SessionView | None) -> Repaired:
    instances = [] if session is None else session.instances
    return Repaired(
        uid=uid,
        coordinates=coordinates,
        id=event.id,
        is_applied=session is not None,
        instance=next((each for each in instances if each.name == event.instance), None),
        replays=[each.name for each in instances if each.parent == event.instance],
    )
