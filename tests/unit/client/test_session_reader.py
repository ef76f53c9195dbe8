"""Sessions are read over HTTP from workers that are rebalanced, restore their partitions or are gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.unit.client.http_server import Answer, Site, serving

from triggers.client import Coordinates, SessionReader
from triggers.client.owners import Owners
from triggers.errors import CallError, OwnerUnavailable, SessionNotFound, TryAgain
from triggers.settings import Settings

SETTINGS = Settings(brokers="127.0.0.1:1", read_timeout_s=0.5)
NOBODY = "http://127.0.0.1:1"


def session(uid: str, **fields: object) -> dict[str, object]:
    numbers = {"created": 1, "modified": 2, "events": 3}
    lists: dict[str, object] = {"tasks": [], "instances": [], "unresolved_tasks": [], "unresolved_instances": []}
    return {"uid": uid, "latest_kwargs": {}} | numbers | lists | fields


def summary(uid: str) -> dict[str, object]:
    return {"uid": uid, "created": 1, "modified": 2, "events": 3, "instances": 4, "unresolved": 5}


class KnownOwners(Owners):
    """Owners that a test chooses, without Kafka. Each `forget` proceeds to the next list of URLs."""

    def __init__(self, *urls: list[str]) -> None:
        super().__init__(SETTINGS)
        self._plan = list(urls)

    def partition_of_session(self, uid: str) -> int:
        return len(uid) % len(self._plan[0])

    def url_of_owner(self, partition: int) -> str:
        return self._plan[0][partition]

    def urls_of_workers(self) -> list[str]:
        return sorted(set(self._plan[0]))

    def forget_owners(self) -> None:
        if len(self._plan) > 1:
            self._plan.pop(0)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(lambda _: answer(200, session("s1"))) as site:
        yield site


def answer(status: int, body: object) -> Answer:
    return status, json.dumps(body).encode()


def in_order(*answers: Answer) -> Callable[[str], Answer]:
    """Returns these answers one after the other, and then repeats the last one."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def reader_of(*urls: list[str]) -> SessionReader:
    return SessionReader(SETTINGS, KnownOwners(*urls))


def test_a_session_is_read_from_its_owner(site: Site) -> None:
    view = reader_of([site.url]).read("s1")

    assert (view.uid, view.events) == ("s1", 3)
    assert urlsplit(site.asked[0][0]).path == "/sessions/s1"


@pytest.mark.parametrize("uid", ["a/b?c=d&e", "ü %2F+", "..", "#"])
def test_odd_uids_reach_the_owner_unchanged(site: Site, uid: str) -> None:
    reader_of([site.url]).read(uid)

    path = urlsplit(site.asked[0][0]).path
    assert unquote(path.removeprefix("/sessions/")) == uid
    assert path.count("/") == 2


def test_the_read_after_a_write_names_the_write_and_the_time_that_is_left(site: Site) -> None:
    reader_of([NOBODY, NOBODY, site.url]).read("s1", after=Coordinates(2, 17))

    query = parse_qs(urlsplit(site.asked[0][0]).query)
    assert query == {"after": ["17"], "timeout": ["0.5"]}


def test_a_session_that_is_not_there_is_not_found(site: Site) -> None:
    site.answer = lambda _: answer(404, {"error": "there is no session 's1'"})

    with pytest.raises(SessionNotFound, match="'s1'"):
        reader_of([site.url]).read("s1")


@pytest.mark.parametrize("status", [421, 503])
def test_a_request_to_a_worker_that_is_not_the_owner_or_restores_is_repeated(site: Site, status: int) -> None:
    site.answer = in_order(answer(status, {"error": "not yet"}), answer(200, session("s1")))

    assert reader_of([site.url]).read("s1").uid == "s1"
    assert len(site.asked) == 2


def test_the_owner_is_looked_up_again_when_a_worker_is_gone(site: Site) -> None:
    assert reader_of([NOBODY], [site.url]).read("s1").uid == "s1"


def test_a_read_that_never_succeeds_raises_the_reason_after_the_read_timeout(site: Site) -> None:
    site.answer = lambda _: answer(503, {"error": "partition 3 is being restored"})

    with pytest.raises(OwnerUnavailable, match="partition 3 is being restored"):
        reader_of([site.url]).read("s1")
    with pytest.raises(TryAgain, match="does not answer"):
        reader_of([NOBODY]).read("s1")


@pytest.mark.parametrize("strange", [(200, b"<html>"), (200, b"{}"), (404, b"Not Found"), (500, b"")])
def test_a_server_that_is_not_a_worker_is_not_an_owner(site: Site, strange: Answer) -> None:
    site.answer = lambda _: strange

    with pytest.raises(OwnerUnavailable, match="not a worker"):
        reader_of([site.url]).read("s1")


def test_a_wrong_request_is_not_repeated(site: Site) -> None:
    site.answer = lambda _: answer(400, {"error": "limit must be a number"})

    with pytest.raises(CallError, match="limit"):
        reader_of([site.url]).summaries(limit=-1)
    assert len(site.asked) == 1


def test_sessions_of_all_workers_are_listed_by_uid_up_to_the_limit(site: Site) -> None:
    site.answer = lambda _: answer(200, {"sessions": [summary("a1"), summary("a4")]})
    with serving(lambda _: answer(200, {"sessions": [summary("a2"), summary("a3")]})) as other:
        summaries = reader_of([site.url, other.url, site.url]).summaries(prefix="a&", limit=3)

    assert [session.uid for session in summaries] == ["a1", "a2", "a3"]
    assert parse_qs(urlsplit(site.asked[0][0]).query) == {"prefix": ["a&"], "limit": ["3"]}
    assert len(site.asked) == 1


def test_a_list_without_one_of_the_workers_is_an_error(site: Site) -> None:
    site.answer = lambda _: answer(200, {"sessions": []})

    with pytest.raises(OwnerUnavailable):
        reader_of([site.url, NOBODY]).summaries()
