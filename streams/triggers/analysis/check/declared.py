"""Which triggers the application fires, as it declares them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from triggers.analysis.event_log import read_log
from triggers.core.events import TriggerFired
from triggers.errors import CallError

_names = msgspec.json.Decoder(list[str]).decode


def declared_triggers(declarations: Iterable[str]) -> set[str]:
    """Triggers of declarations: each is a name, or a file: a JSON list of names, or a log of events (`read_log`).

    Raises BadLog or CallError for a file that is neither.
    """
    return {name for declaration in declarations for name in _declared(declaration)}


def _declared(declaration: str) -> Iterator[str]:
    path = Path(declaration)
    if not path.is_file():
        yield declaration
    elif path.suffix != ".gz" and path.read_bytes().lstrip()[:1] == b"[":
        yield from _list(path)
    else:
        yield from (event.trigger for _, event in read_log(path) if isinstance(event, TriggerFired))


def _list(path: Path) -> list[str]:
    try:
        return _names(path.read_bytes())
    except msgspec.DecodeError as error:
        raise CallError(f"{path} must be a JSON list of trigger names: {error}") from error
