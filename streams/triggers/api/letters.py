"""Lists, shows, redrives and discards dead letters."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from starlette.responses import Response

from triggers.api.call import Call
from triggers.api.identity import Scope
from triggers.api.names import OFFSET, PARTITION
from triggers.api.operations import DocumentedResponse, Handler, Operation
from triggers.api.parameters import choice, integer, text
from triggers.api.problems import Kind
from triggers.api.services import Services, json_response
from triggers.client.dead_letters import OPEN, DeadLetters, StoredLetter
from triggers.client.letter_query import LetterQuery
from triggers.codec.letter_mark_codec import LetterAction

_ANY: Final = "any"
STATE: Final = choice("state", "Only dead letters in this state.", OPEN, *LetterAction, _ANY, default=OPEN)
REASON: Final = text("reason", "Only dead letters with this reason.", "bad json")
DETAIL: Final = text("detail", "Only if the detail contains this text, ignoring case.", "line 1")
TOPIC: Final = text("topic", "Only if the original record is on this topic.", "triggers.events")
PREFIX: Final = text("prefix", "Only if the key of the original record starts with this text.", "order-")
LIMIT: Final = integer("limit", "Maximum number of dead letters.", default=100, minimum=1, maximum=1000)


class LetterHeader(Struct, frozen=True, kw_only=True):
    """A header of the original record."""

    name: str
    value: str | None


class LetterView(Struct, frozen=True, kw_only=True):
    """A dead letter. Bytes that are not UTF-8 are escaped."""

    partition: int
    offset: int
    state: str
    """`open`, `redriven` or `discarded`."""
    actor: str | None
    """Who redrove or discarded it."""
    handled: int | None
    """When that was, in milliseconds since 1970-01-01 UTC."""
    reason: str
    detail: str
    key: str | None
    """The session's UID, if the record has a valid key."""
    value: str | None
    headers: list[LetterHeader]
    missing: str
    """The parts of the original record that the letter lacks, so that it cannot be redriven."""
    original_topic: str
    original_partition: int
    original_offset: int
    original_time: int


class LetterList(Struct, frozen=True, kw_only=True):
    """Dead letters; within a partition, the oldest comes first."""

    dead_letters: list[LetterView]


class LetterChange(Struct, frozen=True, kw_only=True):
    """The effect of an operator's request on a dead letter."""

    dead_letter: LetterView
    changed: bool
    """False if it was redriven or discarded before; then nothing was done."""


class Letters:
    """The operations for dead letters."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def operations(self) -> list[Operation]:
        """Returns the operations of this class."""
        one = "/v1/dead-letters/{partition}/{offset}"
        return [
            Operation(
                method="GET",
                path="/v1/dead-letters",
                handler=self.list_dead_letters,
                scope=Scope.READ,
                tag="dead letters",
                summary="List the newest dead letters.",
                query=(STATE, REASON, DETAIL, TOPIC, PREFIX, LIMIT),
                responses={200: DocumentedResponse("The dead letters.", LetterList)},
                problems=(Kind.UNAVAILABLE, Kind.OVERLOADED),
            ),
            Operation(
                method="GET",
                path=one,
                handler=self.show_dead_letter,
                scope=Scope.READ,
                tag="dead letters",
                summary="Show a dead letter with its original record.",
                parameters=(PARTITION, OFFSET),
                responses={200: DocumentedResponse("The dead letter.", LetterView)},
                problems=(Kind.NOT_FOUND, Kind.UNAVAILABLE, Kind.OVERLOADED),
            ),
            _change(
                f"{one}/redrive",
                self.redrive_dead_letter,
                "Publish the original record of a dead letter again, once.",
                "Remove the cause first: a record that still cannot be applied becomes a new dead letter.",
            ),
            _change(
                f"{one}/discard",
                self.discard_dead_letter,
                "Mark a dead letter as discarded.",
                "Nothing is removed from the topic, and a discarded letter cannot be redriven.",
            ),
        ]

    async def list_dead_letters(self, call: Call) -> Response:
        """Lists dead letters."""
        state = call.query(STATE)
        query = LetterQuery(
            reason=call.query(REASON) or None,
            detail=call.query(DETAIL) or None,
            topic=call.query(TOPIC) or None,
            prefix=call.query(PREFIX),
        )
        query.check()
        letters = await self._services.blocking.run(
            DeadLetters(self._services.settings).read_newest,
            call.query(LIMIT),
            query,
            None if state == _ANY else state,
        )
        return json_response(LetterList(dead_letters=[_view(stored) for stored in letters]))

    async def show_dead_letter(self, call: Call) -> Response:
        """Shows a dead letter."""
        letters = DeadLetters(self._services.settings)
        stored = await self._services.blocking.run(letters.read_letter, call.number(PARTITION), call.number(OFFSET))
        return json_response(_view(stored))

    async def redrive_dead_letter(self, call: Call) -> Response:
        """Redrives a dead letter."""
        return await self._handle(call, LetterAction.REDRIVEN)

    async def discard_dead_letter(self, call: Call) -> Response:
        """Discards a dead letter."""
        return await self._handle(call, LetterAction.DISCARDED)

    async def _handle(self, call: Call, action: LetterAction) -> Response:
        letters = DeadLetters(self._services.settings, call.principal.name)
        partition, offset = call.number(PARTITION), call.number(OFFSET)

        def handle() -> LetterChange:
            stored = letters.read_letter(partition, offset)
            mark = letters.redrive if action is LetterAction.REDRIVEN else letters.discard
            changed = bool(stored.mark is None and mark([stored]))
            return LetterChange(dead_letter=_view(letters.read_letter(partition, offset)), changed=changed)

        return json_response(await self._services.blocking.run(handle))


def _change(path: str, handler: Handler, summary: str, description: str) -> Operation:
    return Operation(
        method="POST",
        path=path,
        handler=handler,
        scope=Scope.OPERATE,
        tag="dead letters",
        summary=summary,
        description=description + " The name of the token is recorded as the actor.",
        parameters=(PARTITION, OFFSET),
        responses={200: DocumentedResponse("The dead letter afterwards.", LetterChange)},
        problems=(Kind.NOT_FOUND, Kind.CONFLICT, Kind.TOO_LARGE, Kind.UNAVAILABLE, Kind.OVERLOADED),
    )


def _view(stored: StoredLetter) -> LetterView:
    letter, mark = stored.letter, stored.mark
    return LetterView(
        partition=stored.partition,
        offset=stored.offset,
        state=stored.state,
        actor=None if mark is None else mark.actor,
        handled=None if mark is None else mark.time,
        reason=letter.reason,
        detail=letter.detail,
        key=_text(letter.key),
        value=_text(letter.value),
        headers=[LetterHeader(name=name, value=_text(value)) for name, value in letter.headers],
        missing=letter.missing,
        original_topic=letter.topic,
        original_partition=letter.partition,
        original_offset=letter.offset,
        original_time=letter.time,
    )


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="backslashreplace")
