"""A missing answer is neither absence nor success, and a cache that loses sessions by design is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import BaseMemcachedCache
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers import CacheStorageBackend, TriggerManager
from triggers.errors import CallError, TryAgain
from triggers.locking import NotSupported
from triggers.storages.checked_cache import CacheUncertain

pytestmark = pytest.mark.usefixtures("django")

RULES = {"t_close": {"after": ["opened", "paid"], "run": "shop.close", "using": "recording"}}


class LossyCache(LocMemCache):  # type: ignore[misc]  # Django is untyped
    """A cache that loses the next call if the next element of `losses` is true."""

    def __init__(self, losses: Iterator[bool]) -> None:
        super().__init__(uuid4().hex, {"TIMEOUT": None})
        self.losses = losses

    def get(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  # as in Django
        return None if next(self.losses) else super().get(*args, **options)

    def set(self, *args: Any, **options: Any) -> None:
        if not next(self.losses):
            super().set(*args, **options)

    def add(self, *args: Any, **options: Any) -> bool:
        return False if next(self.losses) else super().add(*args, **options)


def losing(*losses: bool) -> Iterator[bool]:
    """Yields these losses, then False forever."""
    yield from losses
    while True:
        yield False


def memory(**options: object) -> LocMemCache:
    return LocMemCache(uuid4().hex, {"TIMEOUT": None, "OPTIONS": options})


def fire(cache: BaseCache, uid: str, trigger: str = "opened") -> None:
    TriggerManager(CacheStorageBackend(uid, cache)).fire(trigger)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.lists(st.booleans(), max_size=12)), max_size=8))
def test_the_event_of_a_call_that_returned_is_in_the_session_whichever_response_was_lost(
    calls: list[tuple[str, list[bool]]],
) -> None:
    cache = LossyCache(losing())
    returned, called = set(), set()
    for trigger, losses in calls:
        cache.losses = losing(*losses)
        called.add(trigger)
        try:
            fire(cache, "s", trigger)
        except CacheUncertain:
            continue
        returned.add(trigger)

    cache.losses = losing()
    assert returned <= CacheStorageBackend("s", cache).latest_kwargs.keys() <= called


def test_a_cache_that_never_answers_makes_reads_and_writes_fail() -> None:
    cache = LossyCache(iter(lambda: True, None))

    for call in (lambda: CacheStorageBackend("s", cache).tasks, lambda: fire(cache, "s")):
        with pytest.raises(TryAgain, match=r"LossyCache does not say whether it has 'triggers\.storages\.cache:s'"):
            call()


def test_a_cache_that_writes_nothing_makes_the_call_fail() -> None:
    class Forgetful(LocMemCache):  # type: ignore[misc]  # Django is untyped
        def set(self, *_: object, **__: object) -> None:
            """Ignores the write."""

    with pytest.raises(TryAgain, match="does not return"):
        fire(Forgetful(uuid4().hex, {}), "s")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DummyCache("", {}), "DummyCache has no locks and keeps nothing"),
        (lambda: FileBasedCache("/nowhere", {}), "evicts"),
        (lambda: DatabaseCache("table", {}), "evicts"),
        (lambda: BaseMemcachedCache("h:1", {}, SimpleNamespace(Client=object), KeyError), "1 MB"),
    ],
)
def test_a_cache_that_loses_sessions_is_refused_when_a_storage_is_made(
    make: Callable[[], BaseCache], words: str
) -> None:
    with pytest.raises(NotSupported, match=words):
        CacheStorageBackend("s", make())


@pytest.mark.parametrize("timeout", [0, -1, 0.5])
def test_a_timeout_below_a_second_is_refused(timeout: float) -> None:
    with pytest.raises(CallError, match="keeps no session"):
        CacheStorageBackend("s", memory(), timeout)
    with pytest.raises(CallError, match="TIMEOUT=0 of the cache keeps no session"):
        CacheStorageBackend("s", LocMemCache("none", {"TIMEOUT": 0}))


def test_a_full_memory_cache_keeps_every_session_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    cache = memory(MAX_ENTRIES=5)

    for n in range(12):
        fire(cache, f"s{n}")

    assert [sorted(CacheStorageBackend(f"s{n}", cache).latest_kwargs) for n in range(12)] == [["opened"]] * 12
    assert sum("MAX_ENTRIES=5" in record.getMessage() for record in caplog.records) == 1


def test_expired_entries_are_removed_for_a_new_session() -> None:
    cache = memory(MAX_ENTRIES=3)
    cache.set("page", 1, timeout=None)
    for n in range(2):
        cache.set(f"gone-{n}", 1, timeout=-1)

    fire(cache, "s0")

    assert cache.get("page") == 1


def test_two_sessions_under_one_key_are_refused() -> None:
    cache = LocMemCache(uuid4().hex, {"TIMEOUT": None, "KEY_FUNCTION": lambda key, _prefix, _version: key.lower()})
    fire(cache, "order")

    with pytest.raises(CallError, match=r"'ORDER' would overwrite session 'order'.*KEY_FUNCTION"):
        fire(cache, "ORDER")


@pytest.mark.parametrize("value", [0, "", [], "text", 5])
def test_another_value_under_the_key_is_refused(value: object) -> None:
    cache = memory()
    cache.set("triggers.storages.cache:s", value)

    with pytest.raises(CallError, match="is not a session"):
        fire(cache, "s")
