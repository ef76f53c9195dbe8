"""What a search decides by the header of a session is what the whole session says."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.indexed_rows import IndexedRows

from triggers.core.events import DeletionRequested, RulesPublished, SkipRequested
from triggers.core.missing import triggers_awaited
from triggers.core.state.row_kinds import HOT_TASKS, HOT_TRIGGERS
from triggers.core.state.rows import HEADERS
from triggers.core.state.session import Session
from triggers.queries import SessionQuery
from triggers.queries.partition_search import PartitionSearch

RULES: dict[str, Any] = {
    "t_bill": {"after": ["order"], "run": "shop.bill"},
    "t_ship": {"after": ["t_bill", "address"], "unless": ["cancelled"], "run": "shop.ship"},
    "t_note": {"after": [], "andEvery": "note", "run": "shop.note"},
}
EDITION_2: dict[str, Any] = {
    "$edition": 2,
    "t_pack": {"after": {"any": ["order", "sample"]}, "run": "shop.pack"},
    "t_call": {"after": ["t_pack", {"trigger": "complaint", "count": 2}], "run": "shop.call"},
}
MANY: dict[str, Any] = {
    f"t_many{n}": {"after": [f"many{n}", "all"], "run": "shop.many"} for n in range(HOT_TRIGGERS + HOT_TASKS)
}
FIRST_WAITS: dict[str, Any] = {
    "$edition": 2,
    "t_first": {"after": [{"trigger": "again", "count": 2}], "run": "shop.first"},
    **{name: {"after": ["again"], "run": "shop.many"} for name in MANY},
}
NAMES = (
    "order", "address", "cancelled", "note", "t_bill", "t_ship", "t_note", "sample", "complaint", "t_pack", "t_call",
    "t_pack:failed", "many0", "many40", f"many{len(MANY) - 1}", "all", "t_many0", f"t_many{len(MANY) - 1}", "t_",
    "again", "unknown",
)  # fmt: skip
FAR = 10**9


@pytest.fixture(scope="module")
def partition() -> IndexedRows:
    """Sessions of both editions in many states, and three whose header cannot hold all names."""
    rows = IndexedRows()
    for uid, triggers in (
        ("none", ()),
        ("ordered", ("order",)),
        ("addressed", ("address",)),
        ("noted", ("note", "note")),
        ("both", ("order", "address", "note")),
        ("done", ("order", "address")),
        ("cancelled", ("order", "cancelled")),
        ("deleted", ("order", "note")),
    ):
        rows.configure(uid, RULES)
        rows.fire(uid, *triggers)
    rows.finish("done", "t_bill#0")
    rows.finish("done", "t_ship#0")
    rows.fail("both", "t_bill#0")
    rows.apply("deleted", DeletionRequested())
    for uid, triggers in (("sampled", ("sample",)), ("complained", ("order", "complaint")), ("quiet", ())):
        rows.configure(uid, EDITION_2)
        rows.fire(uid, *triggers)
    rows.finish("sampled", "t_pack#0")
    for uid, fired in (("wide", len(MANY)), ("wide-open", 3)):
        rows.configure(uid, MANY)
        rows.fire(uid, *(f"many{n}" for n in range(fired)))
    rows.fire("wide", "all")
    rows.configure("first-waits", FIRST_WAITS)
    rows.fire("first-waits", "again")
    for name in MANY:
        rows.fail("first-waits", f"{name}#0")
        rows.apply("first-waits", SkipRequested(instance=f"{name}#0", cascade=False))
    return rows


def found(partition: IndexedRows, query: SessionQuery) -> set[str]:
    page = PartitionSearch(partition.rows, partition.plans, query, partition.now).find("", FAR, FAR)
    return {session.uid for session in page.sessions}


def sessions(partition: IndexedRows) -> list[Session]:
    uids = [key[len(HEADERS) :].decode() for key, _ in partition.rows.scan(HEADERS)]
    loaded = [Session(uid, partition.rows, partition.plans) for uid in uids]
    return [session for session in loaded if session.exists]


def is_awaited(session: Session, name: str) -> bool:
    return any(
        name in rule.after_set and name in triggers_awaited(session, rule) for rule in session.plan.tasks.values()
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_trigger_was_fired_or_is_missing_as_the_session_says(partition: IndexedRows, name: str) -> None:
    every = sessions(partition)

    assert found(partition, SessionQuery(seen=name)) == {
        session.uid for session in every if session.latest.get(name) is not None
    }
    assert found(partition, SessionQuery(missing=name)) == {
        session.uid for session in every if is_awaited(session, name)
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_session_has_instances_of_a_task_as_it_says(partition: IndexedRows, name: str) -> None:
    expected = {each.uid for each in sessions(partition) if (state := each.tasks.get(name)) is not None and state.count}

    assert found(partition, SessionQuery(task=name)) == expected


def test_a_failure_is_found_whichever_of_the_sessions_failures_it_is() -> None:
    rows = IndexedRows()
    for uid in ("a", "b"):
        rows.configure(uid, RULES)
        rows.fire(uid, "order", "note", "note")
        rows.fail(uid, "t_bill#0", "shop.Declined", "no money")
        rows.fail(uid, "t_note#1", f"shop.Broken{uid}", "no paper")

    for query in (SessionQuery(exception="Brokenb"), SessionQuery(exception="shop.Brokenb", task="t_note")):
        assert found(rows, query) == {"b"}
        first = PartitionSearch(rows.rows, rows.plans, query, rows.now).find("", FAR, 0)
        assert (first.sessions, first.reached) == ([], "a")
    assert found(rows, SessionQuery(exception="Brokenb", task="t_bill")) == set()
    assert found(rows, SessionQuery(status="failed", seen="note", missing="address")) == {"a", "b"}


def test_rules_that_a_partition_does_not_know_need_no_search() -> None:
    rows = IndexedRows()
    first = RulesPublished(
        name="orders", version=1, configuration=b'{"t_a": {"after": ["x"], "run": "r"}}', match=["a*"]
    )
    rows.rows.write(rows.plans.publish(replace(first, position=1, time=1), rows.rows))
    rows.fire("a-1", "x")

    assert found(rows, SessionQuery(rules="orders")) == {"a-1"}
    assert found(rows, SessionQuery(rules="orders", version=1)) == {"a-1"}
    for query in (SessionQuery(rules="orders", version=2), SessionQuery(rules="returns")):
        page = PartitionSearch(rows.rows, rows.plans, query, rows.now).find("", FAR, FAR)
        assert (page.sessions, page.reached, page.examined) == ([], None, 0)
