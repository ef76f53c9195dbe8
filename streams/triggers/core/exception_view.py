"""The exception with which an attempt ended, as the instance's metadata have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

TYPE: Final = "exceptionType"
MESSAGE: Final = "exceptionMessage"
CONTEXT: Final = "exceptionContext"
INFO: Final = "exceptionInfo"


class ExceptionView(Struct, frozen=True, kw_only=True):
    """An exception. A failed instance has one unless the application has set its status."""

    type: str
    """Class of the exception, `module.Class`."""
    message: str
    """Its own text. For records without one, it is taken from the traceback."""
    context: Raw
    """JSON object with facts about the failure."""
    traceback: list[str]
    """Lines of the traceback."""


def view_exception(metadata: Mapping[str, bytes]) -> ExceptionView | None:
    """Returns the exception in an instance's metadata, or None if there is none."""
    kind = _text(metadata.get(TYPE))
    if not kind:
        return None
    info = _text(metadata.get(INFO))
    return ExceptionView(
        type=kind,
        message=_text(metadata.get(MESSAGE)) or message_in(info, kind),
        context=Raw(metadata.get(CONTEXT, b"{}")),
        traceback=info.splitlines(),
    )


def message_in(info: str, kind: str) -> str:
    """Returns the message at the end of a traceback of this exception's class.

    Python prints it after the name of the class, which has no module if that is `builtins` or `__main__`. A text that
    is no traceback, as the engine writes it, is the message itself.
    """
    lines = info.splitlines()
    heads = (f"{kind}: ", f"{kind.rpartition('.')[2]}: ")
    for number in range(len(lines) - 1, -1, -1):
        for head in heads:
            if lines[number].startswith(head):
                return "\n".join([lines[number][len(head) :], *lines[number + 1 :]]).rstrip()
    last = next((line for line in reversed(lines) if line.strip()), "").strip()
    return "" if last in {kind, kind.rpartition(".")[2]} else last


def _text(value: bytes | None) -> str:
    """Returns a text of the metadata; empty if it is absent or no text, because applications may overwrite it."""
    if value is None:
        return ""
    decoded = msgspec.json.decode(value)
    return decoded if isinstance(decoded, str) else ""
