"""Publishing rules from Python: to the stream, or to a registry for embedded storages.

On the stream every worker learns of published rules from its partitions. Embedded storages share no log, so a process
says with `use_rules` where its published rules are: in memory, in a file, or returned by a function of the application.
`publish_rules` is the same call in both worlds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import msgspec

from triggers.client.published_rules import StreamRules, newest_of
from triggers.codec import encode_configuration
from triggers.codec.event_lines import decode_members, event_members
from triggers.core.config import validate_configuration
from triggers.core.events import RulesPublished
from triggers.core.published_rules import KEEP, next_version
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.errors import CallError, NotSupported, Undecodable
from triggers.settings import Settings

_encode: Final = msgspec.json.Encoder().encode


class RulesRegistry(Protocol):
    """Keeps published rules, such as `StreamRules`, `MemoryRules` and `RulesFile`."""

    def publications(self) -> Sequence[RulesPublished]:
        """Returns all versions of all rules, in the order in which they were published."""

    def publish(self, event: RulesPublished) -> RulesPublished | None:
        """Publishes rules under the next version, which it returns, or None if that would change nothing."""


class MemoryRules:
    """Published rules in the memory of the process, for tests."""

    def __init__(self) -> None:
        self._publications: list[RulesPublished] = []
        self._lock = threading.Lock()

    def publications(self) -> Sequence[RulesPublished]:
        return tuple(self._publications)

    def publish(self, event: RulesPublished) -> RulesPublished | None:
        with self._lock:
            version = _next_publication(self._publications, event)
            if version is not None:
                self._publications.append(version)
        return version


class RulesFile:
    """Published rules in a file, one version per line in plain JSON, as `triggers export` writes it.

    Whoever deploys the application publishes; two processes must not publish at the same moment.
    """

    def __init__(self, path: Path | str) -> None:
        """A file that does not exist has no rules."""
        self._path = Path(path)
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int], tuple[RulesPublished, ...]] | None = None

    def publications(self) -> Sequence[RulesPublished]:
        """Returns the rules in the file, which is read again when it has changed. Raises CallError."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return ()
        stamp = status.st_mtime_ns, status.st_size
        if self._read is None or self._read[0] != stamp:
            lines = [line for line in self._path.read_bytes().splitlines() if line.strip()]
            self._read = stamp, tuple(self._decode(number, line) for number, line in enumerate(lines, 1))
        return self._read[1]

    def publish(self, event: RulesPublished) -> RulesPublished | None:
        with self._lock:
            publications = self.publications()
            version = _next_publication(publications, event)
            if version is not None:
                self._replace_file([*publications, version])
        return version

    def _replace_file(self, publications: Sequence[RulesPublished]) -> None:
        """Writes a new file and renames it, so that a reader sees the old rules or the new ones."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(self._path.name + ".new")
        unfinished.write_bytes(b"".join(_encode(event_members(event)) + b"\n" for event in publications))
        unfinished.replace(self._path)

    def _decode(self, number: int, line: bytes) -> RulesPublished:
        try:
            event = decode_members(line)
        except Undecodable as error:
            raise CallError(f"{self._path}, line {number}: {error}") from error
        if not isinstance(event, RulesPublished):
            raise CallError(f"{self._path}, line {number}: it has no published rules; their `type` is `publish`")
        return event


class RulesFunction:
    """Published rules that a function of the application returns, for example from a database."""

    def __init__(self, function: Callable[[], Sequence[RulesPublished]]) -> None:
        """`function` returns what `publications` returns. It is called for every event, so it should be fast."""
        self._function = function

    def publications(self) -> Sequence[RulesPublished]:
        return self._function()

    def publish(self, event: RulesPublished) -> RulesPublished | None:
        """Raises NotSupported: the application stores the rules itself."""
        raise NotSupported(
            f"rules {event.name!r:.300}: a function keeps the published rules; store them where it reads"
        )


_in_use: list[RulesRegistry] = []
"""The registries that `use_rules` was called with; the last one counts."""


@contextmanager
def use_rules(registry: RulesRegistry) -> Iterator[RulesRegistry]:
    """Makes the embedded storages and `publish_rules` of this process use a registry, until the `with` block ends."""
    _in_use.append(registry)
    try:
        yield registry
    finally:
        _in_use.remove(registry)


def set_rules(registry: RulesRegistry) -> None:
    """Makes the embedded storages and `publish_rules` of this process use a registry from now on."""
    _in_use[:] = [registry]


def publish_rules(
    name: str,
    configuration: Mapping[str, Mapping[str, object]],
    *,
    match: Sequence[str] = (),
    is_default: bool = False,
    existing: str = KEEP,
    locked: bool = False,
    settings: Settings | None = None,
) -> RulesPublished | None:
    """Publishes rules, which sessions take automatically. Returns the version, or None if nothing has changed.

    A session takes the rules that its first event names, else those whose `match` has its UID or a pattern such as
    `order-*`, else those that are default. With `existing="adopt"`, sessions that have an earlier version adopt this
    one at their next event; with `"keep"` they stay on theirs. `locked` sessions refuse updates of their own.

    It publishes to the registry of `use_rules` or `set_rules`, if there is one, else to the stream: one record on every
    partition, in one transaction. It blocks until that is committed. Repeating the call changes nothing, so an
    application may call it whenever it starts.

    Raises CallError or InvalidConfiguration that names the fix; on the stream, TryAgain if another process publishes at
    this moment, and BrokerUnavailable.
    """
    if isinstance(match, str):
        raise CallError(f"match must be a list of UIDs and patterns, not {match!r:.80}: write [{match!r:.80}]")
    event = RulesPublished(
        name=name,
        version=0,
        configuration=encode_configuration(configuration),
        match=list(match),
        is_default=is_default,
        existing=existing,
        locked=locked,
    )
    if settings is None and _in_use:
        return _in_use[-1].publish(event)
    return StreamRules(settings or Settings.from_env(), source="publish_rules").publish(event)


def published_rows() -> MemoryRows:
    """Returns the rows of the rules that are published for the embedded storages of this process. They are a copy."""
    if not _in_use:
        return MemoryRows()
    rows, plans = MemoryRows(), Plans()
    for position, event in enumerate(_in_use[-1].publications()):
        rows.write(plans.publish(msgspec.structs.replace(event, position=position), rows))
    return rows


def _next_publication(publications: Sequence[RulesPublished], event: RulesPublished) -> RulesPublished | None:
    version = next_version(newest_of(publications, event.name), event)
    if version is not None:
        validate_configuration(version.configuration)
    return version
