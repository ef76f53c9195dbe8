"""The message that Celery would have received from a broker of its own, built from a command."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from celery.utils.saferepr import saferepr

from triggers.celery.command_headers import command_headers
from triggers.celery.command_source import CommandInHand
from triggers.celery.command_traces import message_headers
from triggers.celery.routing import expiry_of
from triggers.kafka.records import Record, timestamp_ms

_REPR_CHARACTERS: Final = 1024


class CommandMessage:
    """The attributes of a broker's message that Celery's `Request` reads."""

    content_type = content_encoding = None

    def __init__(self, headers: dict[str, Any], body: Any, topic: str) -> None:
        self.headers, self.body, self.payload = headers, body, body
        self.properties: dict[str, Any] = {}
        self.delivery_info = {"routing_key": topic}


def message_of(in_hand: CommandInHand, task: Any, topic: str) -> CommandMessage:
    """Returns the message of a command of a topic."""
    kwargs = msgspec.json.decode(in_hand.command.kwargs)
    body = ((), kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None})
    return CommandMessage(_headers_of(in_hand, task, kwargs), body, topic)


def _headers_of(in_hand: CommandInHand, task: Any, kwargs: object) -> dict[str, object]:
    """Returns the headers of the message that Celery would have received from a broker of its own."""
    command = in_hand.command
    delivery = in_hand.delivery
    custom = command_headers(command, partition=delivery.partition, offset=delivery.offset) | message_headers(delivery)
    return {
        **custom,
        "headers": custom,
        "lang": "py",
        "task": command.run,
        "id": command.id,
        "root_id": command.id,
        "retries": command.depth,
        "expires": expiry_of(task, timestamp_ms(cast("Record", delivery.message))),
        "argsrepr": "()",
        "kwargsrepr": _shown(kwargs, len(command.kwargs)),
    }


def _shown(kwargs: object, size: int) -> str:
    """Returns the text with which monitors and log lines show the kwargs, whose JSON has `size` bytes.

    Celery's function formats every value in Python, which takes longer than the rest of the request.
    """
    return repr(kwargs) if size <= _REPR_CHARACTERS else saferepr(kwargs, _REPR_CHARACTERS)
