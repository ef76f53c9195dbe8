"""Keeps a session of edition 2 in an embedded storage: as the rows of the engine.

What edition 2 remembers of a session (contributions, groups that wait, timers) has no form among the objects that
applications inspect. So the rows are stored, as text, and the objects are only derived from them.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from triggers.core.plan_checks import check_embedded
from triggers.core.state.plans import Plans
from triggers.core.state.rows import TIMERS, MemoryRows, configuration_key, header_key, session_prefix
from triggers.core.state.session import Session
from triggers.core.view import view_session
from triggers.errors import NotSupported
from triggers.storages.published_rules import published_rows
from triggers.storages.session_objects import SessionObjects, objects_of

ROWS: Final = "rows"
"""Key of the rows in the engine's state."""

PLANS: Final = Plans(check_embedded)
"""The compiled rules of this process's sessions. Threads share them, because a plan never changes."""


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
    """Returns the session's objects and the state of the engine. All changes must be written to the rows."""
    prefixes = _kept_prefixes(live)
    kept = {key: row for key, row in live.rows.items() if key.startswith(prefixes)}
    return _objects(live), {ROWS: {b64encode(key).decode(): b64encode(row).decode() for key, row in kept.items()}}


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
    return LiveSession(Session(uid, rows, PLANS), rows)


def _objects(live: LiveSession) -> SessionObjects:
    objects = objects_of(view_session(live.session))
    for loaded in live.session.instances.scan():
        objects.instances[loaded.name].engine["attempt_closed"] = loaded.instance.attempt_closed
    return objects


def _kept_prefixes(live: LiveSession) -> tuple[bytes, ...]:
    """Returns how the keys of the rows to keep begin: the session's own, its timers, the configurations in use."""
    uid, instances = live.session.uid, live.session.instances.scan()
    needed = {live.session.header.configuration, *(each.instance.configuration for each in instances)} - {b""}
    return (header_key(uid), session_prefix(uid), TIMERS, *(configuration_key(digest) for digest in sorted(needed)))
