from __future__ import annotations

from triggers.agent.turns.session_cache import SessionCache
from triggers.core.state.plans import Plans
from triggers.core.state.rows import MemoryRows
from triggers.core.state.session import Session


def session(uid: str) -> Session:
    return Session(uid, MemoryRows(), Plans())


def test_a_session_that_is_taken_is_not_cached_until_it_is_put_back() -> None:
    cache, one = SessionCache(10), session("a")
    cache.put(0, b"a", one)

    assert cache.take(0, b"a") is one
    assert cache.take(0, b"a") is None


def test_the_least_recently_used_sessions_go_first() -> None:
    cache = SessionCache(2)
    for uid in ("a", "b", "c"):
        cache.put(0, uid.encode(), session(uid))
    cache.put(0, b"a", cache.take(0, b"a") or session("a"))

    cache.trim()

    assert [cache.take(0, key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


def test_every_partition_has_the_same_share() -> None:
    cache = SessionCache(4)
    for partition in (0, 1):
        for uid in ("a", "b", "c"):
            cache.put(partition, uid.encode(), session(uid))

    cache.trim()

    assert len(cache) == 4
    assert cache.take(0, b"c") is not None
    assert cache.take(1, b"c") is not None


def test_a_revoked_partition_is_forgotten_and_the_others_are_kept() -> None:
    cache = SessionCache(10)
    for partition in (0, 1):
        cache.put(partition, b"a", session("a"))

    cache.forget([0])

    assert cache.take(0, b"a") is None
    assert cache.take(1, b"a") is not None


def test_an_aborted_transaction_forgets_everything() -> None:
    cache = SessionCache(10)
    for partition in (0, 1):
        cache.put(partition, b"a", session("a"))

    cache.forget()

    assert len(cache) == 0
