"""The demands of a query on a header. A session whose header does not satisfy it need not be loaded.

Only the checks that the query needs are made, because a search makes them for every session of a partition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from triggers.core.plan import Rule
from triggers.core.state.header_parts import TaskState
from triggers.core.statuses import RESOLVED_IN_EDITION_2
from triggers.queries.header_facts import HeaderFacts, HeaderStart
from triggers.queries.map_keys import key_finder
from triggers.queries.session_query import SessionQuery

RulesByTrigger = Mapping[str, Sequence[Rule]]
EarlyCheck = Callable[[HeaderStart], bool]
LateCheck = Callable[[HeaderFacts], bool]

_decode_tasks: Final = msgspec.msgpack.Decoder(dict[str, TaskState]).decode


def early_checks(query: SessionQuery, rules_of: Callable[[HeaderStart], RulesByTrigger]) -> list[EarlyCheck]:
    """Returns the checks of the first elements, the cheap ones first. `rules_of` returns rules by trigger."""
    return [*_of_times(query), *_of_names(query), *_of_missing(query, rules_of)]


def late_checks(query: SessionQuery) -> list[LateCheck]:
    """Returns the checks that need a whole header."""
    name, version = query.rules, query.version
    checks: list[LateCheck] = []
    if name is not None:
        checks.append(lambda facts: facts.published is not None and facts.published.name == name)
    if version is not None:
        checks.append(lambda facts: facts.published is not None and facts.published.version == version)
    return checks


def _of_times(query: SessionQuery) -> list[EarlyCheck]:
    checks: list[EarlyCheck] = []
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


def _of_names(query: SessionQuery) -> list[EarlyCheck]:
    checks: list[EarlyCheck] = []
    if query.task is not None and not query.wants_failed:  # the index of failed instances has their tasks
        has_task = key_finder(query.task)
        checks.append(lambda facts: facts.tasks_spilled or has_task(facts.tasks))
    if query.seen is not None:
        has_seen = key_finder(query.seen)
        checks.append(lambda facts: facts.latest_spilled or has_seen(facts.latest))
    return checks


def _of_missing(query: SessionQuery, rules_of: Callable[[HeaderStart], RulesByTrigger]) -> list[EarlyCheck]:
    missing = query.missing
    if missing is None:
        return []
    has_seen = key_finder(missing)
    rules_by_configuration: dict[bytes, list[Rule]] = {}

    def may_await(facts: HeaderStart) -> bool:
        rules = rules_by_configuration.get(facts.configuration)
        if rules is None:
            rules = [rule for rule in rules_of(facts).get(missing, ()) if missing in rule.after_set]
            rules_by_configuration[facts.configuration] = rules
        if not rules:
            return False
        is_fired = has_seen(facts.latest)  # False says nothing if further triggers are in rows of their own
        if is_fired and not facts.unresolved:
            return False
        return facts.tasks_spilled or _may_await(_decode_tasks(facts.tasks), rules, missing, is_fired=is_fired)

    return [may_await]


def _may_await(tasks: dict[str, TaskState], rules: Sequence[Rule], trigger: str, *, is_fired: bool) -> bool:
    """Returns False if no task of these rules awaits a trigger, as `core.missing.triggers_awaited` means it.

    The cohorts of edition 1 say what each instance waits for. In edition 2, waiting instances have rows of their own.
    """
    for rule in rules:
        state = tasks.get(rule.name)
        if state is None or not state.count:
            awaits = not is_fired
        elif rule.edition_2 is None:
            awaits = any(trigger not in cohort.have for cohort in state.cohorts)
        else:
            awaits = state.unresolved > 0
        if awaits:
            return True
    return False
