"""Keeps a session of edition 2 in an embedded storage: as the rows of the engine.

What edition 2 remembers of a session (contributions, groups that wait, timers) has no form among the objects that
applications inspect. So the rows are stored, as text, and the objects are only a picture of them.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from triggers.core.delivery import check_embedded
from triggers.core.state.plans import Plans
from triggers.core.state.rows import CATALOG, MemoryRows, configuration_key
from triggers.core.state.session import Session
from triggers.core.view import view_session
from triggers.errors import NotSupported
from triggers.storages.published_rules import published_rows
from triggers.storages.session_objects import SessionObjects, objects_of

ROWS: Final = "rows"
"""Key of the rows in the engine's state."""
_SHARED: Final = (CATALOG, configuration_key(b""))
"""Prefixes of the rows that sessions share: published rules and configurations."""


@dataclass(frozen=True, slots=True)
class LiveSession:
    """The engine's session, and its rows in memory."""

    session: Session
    rows: MemoryRows


def thaw_rows(uid: str, shown: SessionObjects, engine: Mapping[str, Any]) -> LiveSession:
    """Returns the engine's session. Raises NotSupported if `shown`, the objects, are not as the rows have them."""
    check_unchanged(uid, shown, engine)
    return _live_session(uid, published_rows(), engine)


def freeze_rows(live: LiveSession) -> tuple[SessionObjects, dict[str, Any]]:
    """Returns the session's objects and the state of the engine. All changes must be written to the rows.

    Published rules are not stored with the session, except for a configuration that it or one of its instances uses.
    """
    used = _used_configurations(live)
    kept = {key: row for key, row in live.rows.items() if not key.startswith(_SHARED) or key in used}
    rows = {b64encode(key).decode(): b64encode(row).decode() for key, row in kept.items()}
    return _objects(live), {ROWS: rows}


def objects_of_rows(uid: str, engine: Mapping[str, Any]) -> SessionObjects:
    """Returns the objects of a stored session."""
    return _objects(_live_session(uid, MemoryRows(), engine))


def check_unchanged(uid: str, shown: SessionObjects, engine: Mapping[str, Any]) -> None:
    """Raises NotSupported if the objects were changed by hand, because the change would be lost."""
    stored = objects_of_rows(uid, engine)
    for name, was, now in (
        ("tasks", stored.tasks, shown.tasks),
        ("instances", stored.instances, shown.instances),
    ):
        if {key: each.serialize() for key, each in was.items()} != {key: each.serialize() for key, each in now.items()}:
            raise NotSupported(
                f"session {uid!r}: its {name} were changed by hand; a session of edition 2 changes by events only:"
                " use the manager"
            )


def _live_session(uid: str, rows: MemoryRows, engine: Mapping[str, Any]) -> LiveSession:
    rows.update((b64decode(key), b64decode(row)) for key, row in engine[ROWS].items())
    return LiveSession(Session(uid, rows, Plans(check_embedded)), rows)


def _objects(live: LiveSession) -> SessionObjects:
    objects = objects_of(view_session(live.session))
    for loaded in live.session.instances.scan():
        objects.instances[loaded.name].engine["attempt_closed"] = loaded.instance.attempt_closed
    return objects


def _used_configurations(live: LiveSession) -> set[bytes]:
    session = live.session
    digests = {session.header.configuration, *(each.instance.configuration for each in session.instances.scan())}
    return {configuration_key(digest) for digest in digests}
