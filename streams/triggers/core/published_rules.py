"""Published rules: the versions that a partition knows, which of them a session takes, and what an adoption leaves.

A catalog is what the log has published so far. It is looked up for a session's first event, and after a publication
for a bound session's next event; its indexes keep both as fast with a thousand rules as with one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from triggers.core.edition_2_plan import BLOCKS, EDITION
from triggers.core.events import RulesPublished
from triggers.core.kwargs import join_object, split_members
from triggers.errors import CallError, InvalidConfiguration

T = TypeVar("T")

KEEP: Final = "keep"
ADOPT: Final = "adopt"
MAX_NAME_CHARACTERS: Final = 256
MAX_VERSION: Final = 2**31 - 1
BACK_TO_EDITION_1: Final = f"{EDITION!r}: rules of edition 2 cannot go back to edition 1; remove the block, or write 2"
_WILDCARD: Final = "*"


class PublishedRules(Struct, frozen=True, array_like=True, gc=False):
    """One version of published rules, without its configuration, which has a row of its own. Fields go to the end."""

    name: str
    version: int
    digest: bytes = b""
    """Hash of the configuration."""
    position: int = 0
    """Position of the `RulesPublished` record in the partition's log."""
    match: tuple[str, ...] = ()
    """UIDs, or patterns with `*` at the end."""
    is_default: bool = False
    adopt: bool = False
    """True if existing sessions take the version over at their next event."""
    locked: bool = False
    """True if sessions refuse updates of their configuration."""


class Catalog:
    """The published rules that a partition knows. It never changes; a publication makes another catalog."""

    __slots__ = ("_adopting", "_default", "_exact", "_lengths", "_patterns", "_versions")

    def __init__(self, published: Iterable[PublishedRules] = ()) -> None:
        self._versions: dict[str, list[PublishedRules]] = {}
        self._adopting: dict[str, PublishedRules] = {}
        """The newest version of each name that says `adopt`."""
        for rules in sorted(published, key=lambda each: (each.name, each.version)):
            self._versions.setdefault(rules.name, []).append(rules)
            if rules.adopt:
                self._adopting[rules.name] = rules
        self._exact: dict[str, PublishedRules] = {}
        self._patterns: dict[str, PublishedRules] = {}
        self._default: PublishedRules | None = None
        for versions in reversed(self._versions.values()):  # so that the name that comes first alphabetically wins
            self._index(versions[-1])
        self._lengths = sorted({len(prefix) for prefix in self._patterns}, reverse=True)

    def _index(self, rules: PublishedRules) -> None:
        for pattern in rules.match:
            self._exact[pattern] = rules
            if pattern.endswith(_WILDCARD):
                self._patterns[pattern[:-1]] = rules
        if rules.is_default:
            self._default = rules

    def __bool__(self) -> bool:
        return bool(self._versions)

    def rules_for(self, uid: str) -> PublishedRules | None:
        """Returns the rules of a session that begins and names none.

        The UID itself comes before a pattern, the longest pattern before shorter ones and before default rules, and
        of equal ones the name that comes first alphabetically. Only the newest version of each name counts.
        """
        if (rules := self._exact.get(uid)) is not None:
            return rules
        for length in self._lengths:
            if length <= len(uid) and (rules := self._patterns.get(uid[:length])) is not None:
                return rules
        return self._default

    def newest(self, name: str) -> PublishedRules | None:
        """Returns the newest version of the rules, or None if nobody published that name."""
        versions = self._versions.get(name)
        return None if versions is None else versions[-1]

    def version(self, name: str, version: int) -> PublishedRules | None:
        """Returns that version of the rules, or None if this partition does not know it."""
        return next((rules for rules in self._versions.get(name, ()) if rules.version == version), None)

    def to_adopt(self, name: str, version: int) -> PublishedRules | None:
        """Returns the newest version that says `adopt`, if it is later than this one."""
        rules = self._adopting.get(name)
        return rules if rules is not None and rules.version > version else None

    def versions(self, name: str) -> list[PublishedRules]:
        """Returns all versions of the rules, in order."""
        return list(self._versions.get(name, ()))

    def names(self) -> list[str]:
        """Returns the names of all rules, in alphabetical order."""
        return list(self._versions)


EMPTY_CATALOG: Final = Catalog()


def catalog_entry(event: RulesPublished, digest: bytes) -> PublishedRules:
    """Returns the catalog's entry for a publication, whose configuration has this hash."""
    return PublishedRules(
        name=event.name,
        version=event.version,
        digest=digest,
        position=event.position,
        match=tuple(event.match),
        is_default=event.is_default,
        adopt=event.existing == ADOPT,
        locked=event.locked,
    )


def check_publication(event: RulesPublished) -> None:
    """Raises CallError if a field of the publication has a wrong value. The configuration is not looked at."""
    if not 0 < len(event.name) <= MAX_NAME_CHARACTERS or not event.name.isprintable():
        raise CallError(f"rules {event.name!r:.80}: a name has 1 to {MAX_NAME_CHARACTERS} printable characters")
    if not 0 < event.version <= MAX_VERSION:
        raise CallError(f"rules {event.name!r}: the version must be 1 to {MAX_VERSION}, not {event.version}")
    if event.existing not in {KEEP, ADOPT}:
        raise CallError(f"rules {event.name!r}: 'existing' must be {KEEP!r} or {ADOPT!r}, not {event.existing!r:.40}")
    if wrong := next((pattern for pattern in event.match if not _is_pattern(pattern)), None):
        raise CallError(
            f"rules {event.name!r}: {wrong!r:.80} in 'match' is neither a UID nor a pattern with one '*' at its end,"
            " such as 'order-*'"
        )
    if "" in event.match:
        raise CallError(f"rules {event.name!r}: '' in 'match' matches no session; use is_default for all others")


def _is_pattern(text: str) -> bool:
    return _WILDCARD not in text[:-1]


def merge_adopted(current: Mapping[str, T], version: Mapping[str, T], removable: Collection[str]) -> dict[str, T]:
    """Returns the configuration of a session that adopts a version. The values are JSON or parsed.

    `removable` are its tasks that came from the rules, were not replaced since and have no unresolved instance. They
    are removed if the version lacks them. Blocks that it lacks are removed in any case, except the edition.
    """
    removed = ({*removable, *BLOCKS} - {EDITION}) - version.keys()
    return {name: value for name, value in current.items() if name not in removed} | dict(version)


def next_version(newest: RulesPublished | None, event: RulesPublished) -> RulesPublished | None:
    """Returns the publication with the version that follows the newest one, or None if it would repeat that.

    A configuration without `$edition` gets that of the newest version. Raises CallError and InvalidConfiguration; what
    the configuration contains is checked by whoever compiles it.
    """
    version = 1 if newest is None else newest.version + 1
    event = msgspec.structs.replace(event, version=version, configuration=_with_edition(newest, event))
    check_publication(event)
    return None if newest is not None and _content_of(newest) == _content_of(event) else event


def _with_edition(newest: RulesPublished | None, event: RulesPublished) -> bytes:
    written = _members_of(event)
    before = None if newest is None else _members_of(newest).get(EDITION)
    if before != b"2":
        return event.configuration
    if written.setdefault(EDITION, b"2") != b"2":
        raise InvalidConfiguration(BACK_TO_EDITION_1)
    return join_object(written)


def _members_of(event: RulesPublished) -> dict[str, bytes]:
    try:
        return split_members(event.configuration)
    except CallError as error:
        raise InvalidConfiguration(f"rules {event.name!r:.80}: the configuration: {error}") from error


def _content_of(event: RulesPublished) -> tuple[object, ...]:
    """Returns everything in a publication that makes it differ from another one."""
    configuration = json.dumps(json.loads(event.configuration))
    return configuration, list(event.match), event.is_default, event.existing, event.locked
