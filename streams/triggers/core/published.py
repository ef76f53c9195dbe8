"""Published rules: decides which rules a session takes, and what a later version leaves of its configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from triggers.core.rule_set import BLOCKS, EDITION


class PublishedRules(Struct, frozen=True, kw_only=True):
    """One version of rules."""

    name: str
    version: int
    configuration: dict[str, object]
    edition: int
    match: tuple[str, ...] = ()
    """UIDs, or patterns with `*` at the end."""
    is_default: bool = False
    adopt: bool = False
    """Existing sessions take it over."""
    locked: bool = False
    """Sessions take no updates."""


def rules_for(uid: str, newest: Iterable[PublishedRules]) -> PublishedRules | None:
    """Returns the rules of a new session that names none. Only the newest version of each name is considered."""
    best: tuple[tuple[int, int], PublishedRules] | None = None
    for rules in sorted(newest, key=lambda found: found.name):
        if (rank := _rank(uid, rules)) and (best is None or rank > best[0]):
            best = rank, rules
    return None if best is None else best[1]


def _rank(uid: str, rules: PublishedRules) -> tuple[int, int] | None:
    """Returns how well the rules fit: exactly, by the longest pattern, or by default. Returns None if they do not."""
    if uid in rules.match:
        return 3, 0
    lengths = [len(pattern) - 1 for pattern in rules.match if pattern.endswith("*") and uid.startswith(pattern[:-1])]
    if lengths:
        return 2, max(lengths)
    return (1, 0) if rules.is_default else None


def to_adopt(versions: Iterable[PublishedRules], version: int) -> PublishedRules | None:
    """Returns the newest version that says `adopt`, if it is later than the session's."""
    return max(
        (rules for rules in versions if rules.adopt and rules.version > version),
        key=lambda rules: rules.version,
        default=None,
    )


def adopted(
    held: Mapping[str, object], rules: PublishedRules, *, from_rules: Iterable[str], unresolved: Iterable[str]
) -> dict[str, object]:
    """Returns the configuration of a session after it has adopted a version.

    `from_rules`: its tasks that came from the rules and were not replaced since. Those that the version lacks go, if
    they are not `unresolved`; blocks that it lacks go in any case, but the edition.
    """
    gone = (set(from_rules) - set(unresolved)) | (set(BLOCKS) - {EDITION})
    kept = {name: own for name, own in held.items() if name not in gone or name in rules.configuration}
    return kept | rules.configuration
