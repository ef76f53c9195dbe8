"""The pages of several partitions are joined to pages with every session once, in the order of their UIDs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.errors import CallError
from triggers.queries import FailureGroup, FoundSession, MissingPartition, SessionQuery, StatusCount, merging
from triggers.queries.cursors import decode_cursor, encode_cursor
from triggers.queries.merging import merge_counts, merge_groups, merge_pages, missing_partitions, page_of
from triggers.queries.partition_search import PartitionPage

UIDS = st.sets(st.text(min_size=1, max_size=4), max_size=40)


def found(uid: str) -> FoundSession:
    return FoundSession(uid=uid, created=1, modified=1, events=1, instances=1, unresolved=1)


def search(uids: list[str], matching: set[str], after: str, limit: int, max_rows: int) -> PartitionPage:
    """Examines at most so many of a partition's sessions, as `PartitionSearch` does."""
    sessions: list[FoundSession] = []
    reached = after
    for examined, uid in enumerate(uid for uid in uids if uid.encode() > after.encode()):
        if len(sessions) >= limit or examined >= max_rows:
            return PartitionPage(sessions=sessions, reached=reached, examined=examined)
        if uid in matching:
            sessions.append(found(uid))
        reached = uid
    return PartitionPage(sessions=sessions)


@given(st.lists(UIDS, min_size=1, max_size=4), st.integers(0, 3), st.integers(1, 5), st.integers(1, 7))
def test_joined_pages_have_every_match_once_and_in_order(
    partitions: list[set[str]], odd: int, limit: int, max_rows: int
) -> None:
    owned: list[list[str]] = []
    known: set[str] = set()
    for partition in partitions:
        owned.append(sorted(partition - known, key=str.encode))
        known |= partition
    matching = {uid for uid in known if len(uid) % 4 != odd}

    after, pages = "", []
    while True:
        merged = merge_pages([search(uids, matching, after, limit, max_rows) for uids in owned], limit)
        assert len(merged.sessions) <= limit
        pages += [session.uid for session in merged.sessions]
        if merged.reached is None:
            break
        assert merged.reached.encode() > after.encode()
        after = merged.reached

    assert pages == sorted(matching, key=str.encode)


def test_a_page_says_where_it_ends_and_what_it_lacks() -> None:
    query = SessionQuery(status="failed")
    merged = merge_pages([PartitionPage(sessions=[found("a"), found("c")], reached="d", examined=4)], 1)

    page = page_of(query, merged, missing_partitions(3, {0, 2}, {1: "it is being restored"}))

    assert [session.uid for session in page.sessions] == ["a"]
    assert page.cursor is not None
    assert decode_cursor(query, page.cursor) == "a"
    assert page.missing == [MissingPartition(1, "it is being restored")]
    assert (page.is_complete, page.examined) == (False, 4)


@given(st.text(min_size=1, max_size=50))
def test_a_cursor_is_for_its_query_only(uid: str) -> None:
    cursor = encode_cursor(SessionQuery(task="a"), uid)

    assert decode_cursor(SessionQuery(task="a"), cursor) == uid
    with pytest.raises(CallError, match="another query"):
        decode_cursor(SessionQuery(task="b"), cursor)
    with pytest.raises(CallError, match="cursor"):
        decode_cursor(SessionQuery(task="a"), cursor[:4])


def test_counts_are_added_up_and_those_of_nothing_are_left_out() -> None:
    counts = [
        StatusCount(task=task, status="failed", instances=number) for task, number in (("b", 2), ("a", 1), ("b", 3))
    ]

    assert merge_counts([*counts, StatusCount(task="c", status="running", instances=0)]) == [
        StatusCount(task="a", status="failed", instances=1),
        StatusCount(task="b", status="failed", instances=5),
    ]


def group(message: str, instances: int, oldest: int = 5, newest: int = 5) -> FailureGroup:
    return FailureGroup(
        task="t",
        exception="e",
        message=message,
        instances=instances,
        sessions=1,
        oldest=oldest,
        newest=newest,
        example="s",
    )


def test_groups_of_the_same_reason_become_one_and_the_largest_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "MAX_GROUPS", 2)

    groups, omitted = merge_groups([group("a", 1), group("b", 2, oldest=3), group("b", 2, newest=9), group("c", 1)])

    assert [(each.message, each.instances, each.sessions, each.oldest, each.newest) for each in groups] == [
        ("b", 4, 2, 3, 9),
        ("a", 1, 1, 5, 5),
    ]
    assert omitted == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"statuss": "failed"}', "unknown field `statuss`"),
        (b'{"stuck_ms": -1}', "must not be negative"),
        (b'{"status": "running", "message": "x"}', "only failed instances have an exception"),
        (b'{"prefix": "' + b"x" * 1025 + b'"}', "the limit is 1024"),
        (b"[]", "a query of sessions"),
    ],
)
def test_a_query_that_is_none_is_refused_with_the_reason(text: bytes, why: str) -> None:
    with pytest.raises(CallError, match=why):
        SessionQuery.from_json(text)


def test_only_the_fields_that_are_set_are_stored_of_a_query() -> None:
    query = SessionQuery(task="t_bill", message="card 17", stuck_ms=5)

    assert query.to_json() == b'{"task":"t_bill","message":"card 17","stuck_ms":5}'
    assert SessionQuery.from_json(query.to_json()) == query
    assert (query.is_empty, SessionQuery().is_empty, SessionQuery.from_json(b"{}").is_empty) == (False, True, True)
