"""The demands of a query on a header. A session whose header does not satisfy it need not be loaded.

Only the checks that the query needs are made, because a search makes them for every session of a partition.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

import msgspec

from triggers.core.statuses import RESOLVED_IN_EDITION_2
from triggers.queries.header_facts import HeaderFacts
from triggers.queries.session_query import SessionQuery

Check = Callable[[HeaderFacts], bool]

_encode_name: Final = msgspec.msgpack.Encoder().encode


def header_checks(query: SessionQuery, triggers_of: Callable[[HeaderFacts], Container[str]]) -> list[Check]:
    """Returns the checks of a query, the cheap ones first. `triggers_of` returns the triggers that rules name."""
    return [*_of_rules(query), *_of_times(query), *_of_names(query), *_of_missing(query, triggers_of)]


def _of_rules(query: SessionQuery) -> list[Check]:
    name, version = query.rules, query.version
    checks: list[Check] = []
    if name is not None:
        checks.append(lambda facts: facts.published is not None and facts.published.name == name)
    if version is not None:
        checks.append(lambda facts: facts.published is not None and facts.published.version == version)
    return checks


def _of_times(query: SessionQuery) -> list[Check]:
    checks: list[Check] = []
    if query.stuck_ms is not None or (query.status is not None and query.status not in RESOLVED_IN_EDITION_2):
        checks.append(lambda facts: facts.unresolved > 0)
    if (since := query.created_since) is not None:
        checks.append(lambda facts: facts.created >= since)
    if (until := query.created_until) is not None:
        checks.append(lambda facts: facts.created <= until)
    if (changed_since := query.changed_since) is not None:
        checks.append(lambda facts: facts.modified >= changed_since)
    if (changed_until := query.changed_until) is not None:
        checks.append(lambda facts: facts.modified <= changed_until)
    return checks


def _of_names(query: SessionQuery) -> list[Check]:
    checks: list[Check] = []
    if query.task is not None and not query.wants_failed:  # the index of failed instances has their tasks
        task = _encode_name(query.task)
        checks.append(lambda facts: facts.may_have_task(task))
    if query.seen is not None:
        seen = _encode_name(query.seen)
        checks.append(lambda facts: facts.may_have_seen(seen))
    return checks


def _of_missing(query: SessionQuery, triggers_of: Callable[[HeaderFacts], Container[str]]) -> list[Check]:
    missing = query.missing
    if missing is None:
        return []
    return [lambda facts: missing in triggers_of(facts), lambda facts: facts.may_await(missing)]
