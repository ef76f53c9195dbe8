"""A search of one partition finds what matches, in the order of the UIDs, and examines a bounded number of rows."""

from __future__ import annotations

import pytest
from tests.support.indexed_rows import SECOND, IndexedRows

from triggers.core.events import DeletionRequested, ReplayRequested, SkipRequested
from triggers.queries import FoundSession, SessionQuery
from triggers.queries.partition_search import PartitionPage, PartitionSearch

RULES = {
    "t_bill": {"after": ["order"], "run": "shop.bill"},
    "t_ship": {"after": ["t_bill", "address"], "run": "shop.ship"},
}
MANY = 100_000


@pytest.fixture
def partition() -> IndexedRows:
    """Four orders: one is billed, one failed, one waits for its address behind the failure, one is finished."""
    rows = IndexedRows()
    for uid in ("a-billed", "b-failed", "c-behind", "d-done"):
        rows.configure(uid, RULES)
        rows.fire(uid, "order")
    rows.finish("a-billed", "t_bill#0")
    rows.fail("b-failed", "t_bill#0", "shop.errors.Declined", "card 17 was declined")
    rows.fire("c-behind", "address")
    rows.fail("c-behind", "t_bill#0", "builtins.OSError", "no route")
    rows.finish("d-done", "t_bill#0")
    rows.fire("d-done", "address")
    rows.finish("d-done", "t_ship#0")
    return rows


def find(partition: IndexedRows, query: SessionQuery, *, after: str = "", limit: int = 10) -> list[FoundSession]:
    return search(partition, query, after=after, limit=limit).sessions


def search(
    partition: IndexedRows, query: SessionQuery, *, after: str = "", limit: int = 10, max_rows: int = MANY
) -> PartitionPage:
    return PartitionSearch(partition.rows, partition.plans, query, partition.now).find(after, limit, max_rows)


def uids(sessions: list[FoundSession]) -> list[str]:
    return [session.uid for session in sessions]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (SessionQuery(), ["a-billed", "b-failed", "c-behind", "d-done"]),
        (SessionQuery(prefix="c-"), ["c-behind"]),
        (SessionQuery(status="failed"), ["b-failed", "c-behind"]),
        (SessionQuery(status="failed", task="t_bill"), ["b-failed", "c-behind"]),
        (SessionQuery(status="failed", task="t_ship"), []),
        (SessionQuery(status="finished"), ["a-billed", "d-done"]),
        (SessionQuery(status="finished", task="t_ship"), ["d-done"]),
        (SessionQuery(status="unstarted"), ["a-billed", "c-behind"]),
        (SessionQuery(task="t_ship"), ["a-billed", "c-behind", "d-done"]),
        (SessionQuery(exception="shop.errors.Declined"), ["b-failed"]),
        (SessionQuery(exception="OSError"), ["c-behind"]),
        (SessionQuery(exception="Error"), []),
        (SessionQuery(message="CARD 17"), ["b-failed"]),
        (SessionQuery(message="declined", exception="OSError"), []),
        (SessionQuery(seen="address"), ["c-behind", "d-done"]),
        (SessionQuery(missing="address"), ["a-billed", "b-failed"]),
        (SessionQuery(missing="t_bill"), ["b-failed", "c-behind"]),
        (SessionQuery(missing="unknown"), []),
        (SessionQuery(rules="orders"), []),
    ],
    ids=lambda value: value.to_json().decode() if isinstance(value, SessionQuery) else "",
)
def test_a_query_finds_the_sessions_for_which_all_of_it_holds(
    partition: IndexedRows, query: SessionQuery, expected: list[str]
) -> None:
    assert uids(find(partition, query)) == expected


def test_every_found_session_says_what_failed_and_why(partition: IndexedRows) -> None:
    (found,) = find(partition, SessionQuery(prefix="b-"))

    (failure,) = found.failures
    assert (found.failed, found.unresolved, found.instances) == (1, 1, 1)
    assert (failure.instance, failure.task) == ("t_bill#0", "t_bill")
    assert (failure.exception, failure.message) == ("shop.errors.Declined", "card 17 was declined")
    assert failure.since == found.modified


def test_a_session_is_stuck_if_it_is_unresolved_and_quiet_or_waits_behind_a_failure(partition: IndexedRows) -> None:
    long, short = SessionQuery(stuck_ms=3600 * SECOND), SessionQuery(stuck_ms=4 * SECOND)

    assert [(each.uid, each.waits_behind) for each in find(partition, long)] == [
        ("b-failed", ["t_bill"]),
        ("c-behind", ["t_bill"]),
    ]
    assert uids(find(partition, short)) == ["a-billed", "b-failed", "c-behind"]


def test_replayed_skipped_and_deleted_instances_are_no_longer_found_as_failed(partition: IndexedRows) -> None:
    partition.apply("b-failed", ReplayRequested(instance="t_bill#0"))
    partition.apply("c-behind", SkipRequested(instance="t_bill#0"))
    partition.fail("a-billed", "t_ship#0")
    assert find(partition, SessionQuery(status="failed")) == []

    partition.fail("b-failed", "t_bill#1")
    assert [each.failures[0].instance for each in find(partition, SessionQuery(status="failed"))] == ["t_bill#1"]

    partition.apply("b-failed", DeletionRequested())
    assert uids(find(partition, SessionQuery())) == ["a-billed", "c-behind", "d-done"]
    assert find(partition, SessionQuery(status="failed")) == []


@pytest.mark.parametrize("query", [SessionQuery(), SessionQuery(status="failed"), SessionQuery(stuck_ms=1)])
def test_pages_of_any_size_have_every_session_once(partition: IndexedRows, query: SessionQuery) -> None:
    every = uids(find(partition, query))

    for limit in (1, 2, 3):
        for max_rows in (1, 3, MANY):
            pages, after = [], ""
            while True:
                page = search(partition, query, after=after, limit=limit, max_rows=max_rows)
                pages += uids(page.sessions)
                assert len(page.sessions) <= limit
                if page.reached is None:
                    break
                assert page.reached > after or max_rows == 1
                after = page.reached
            assert pages == every


def test_a_uid_may_have_any_characters(partition: IndexedRows) -> None:
    odd = ["b", "b\0", "b\0\0c", "b\0c", "b-failed\0", "b\uffff", "b\U0001f600"]
    for uid in odd:
        partition.configure(uid, RULES)
        partition.fire(uid, "order")
        partition.fail(uid, "t_bill#0")
    expected = sorted([*odd, "b-failed"], key=str.encode)

    assert uids(find(partition, SessionQuery(prefix="b"))) == expected
    failed = find(partition, SessionQuery(prefix="b", status="failed"))
    assert uids(failed) == expected
    assert {each.failed for each in failed} == {1}
    assert uids(find(partition, SessionQuery(prefix="b\0", status="failed"))) == [u for u in expected if u[:2] == "b\0"]


def test_a_search_ends_after_its_share_of_rows(partition: IndexedRows) -> None:
    for number in range(500):
        partition.configure(f"e-{number:03}", RULES)

    page = search(partition, SessionQuery(prefix="e-", missing="t_ship"), max_rows=100)

    assert (page.sessions, page.examined) == ([], 101)
    assert page.reached == "e-099"
