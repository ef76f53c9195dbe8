"""Searches ask all owners over HTTP, and say which partitions did not answer and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from tests.unit.client.http_server import Answer, Site, serving

from triggers.client import SessionSearch
from triggers.client.owners import Owners
from triggers.errors import NotPermitted, OwnerUnavailable
from triggers.queries import MissingPartition, SessionQuery
from triggers.settings import Settings

SETTINGS = Settings(brokers="127.0.0.1:1", read_timeout_s=0.5)
NOBODY = "http://127.0.0.1:1"


class PlannedOwners(Owners):
    """Owners that a test chooses, without Kafka. Each `forget` proceeds to the next plan."""

    def __init__(self, *plans: dict[int, str]) -> None:
        super().__init__(SETTINGS)
        self._plans = list(plans)

    def partition_count(self) -> int:
        return 2

    def urls_by_partition(self) -> dict[int, str]:
        return self._plans[0]

    def forget_owners(self) -> None:
        if len(self._plans) > 1:
            self._plans.pop(0)


def has(*partitions: int, **refused: str) -> Callable[[str], Answer]:
    """Returns a worker that has these partitions, each with a session of that name."""
    sessions = {"created": 1, "modified": 2, "events": 3, "instances": 4, "unresolved": 5}
    pages = {str(p): {"sessions": [sessions | {"uid": f"s{p}"}], "examined": 1} for p in partitions}
    body = {"partitions": pages, "refused": {key.removeprefix("p"): why for key, why in refused.items()}}
    return lambda _: (200, json.dumps(body).encode())


@pytest.fixture
def first() -> Iterator[Site]:
    with serving(has(0)) as site:
        yield site


@pytest.fixture
def second() -> Iterator[Site]:
    with serving(has(1)) as site:
        yield site


def found(search: SessionSearch, patience_s: float = 0.0) -> tuple[list[str], list[MissingPartition]]:
    page = search.find(SessionQuery(), patience_s=patience_s)
    return [session.uid for session in page.sessions], page.missing


def test_a_page_has_the_sessions_of_all_owners(first: Site, second: Site) -> None:
    assert found(SessionSearch(SETTINGS, PlannedOwners({0: first.url, 1: second.url}))) == (["s0", "s1"], [])


def test_a_partition_without_an_answer_is_missing_for_the_reason_that_is_known(first: Site) -> None:
    def missing(owners: dict[int, str]) -> list[MissingPartition]:
        return found(SessionSearch(SETTINGS, PlannedOwners(owners)))[1]

    (gone,) = missing({0: first.url, 1: NOBODY})
    assert (gone.partition, "does not answer" in gone.reason) == (1, True)
    assert missing({0: first.url}) == [MissingPartition(1, "no worker owns it")]
    assert missing({0: first.url, 1: first.url}) == [MissingPartition(1, f"worker {first.url} no longer owns it")]
    first.answer = has(0, p1="its worker is restoring it")
    assert missing({0: first.url, 1: first.url}) == [MissingPartition(1, "its worker is restoring it")]


def test_after_an_answer_that_lacks_partitions_the_owners_are_looked_up_again(first: Site, second: Site) -> None:
    search = SessionSearch(SETTINGS, PlannedOwners({0: first.url, 1: first.url}, {0: first.url, 1: second.url}))

    assert found(search)[0] == ["s0"]
    assert found(search) == (["s0", "s1"], [])


def test_a_patient_search_waits_until_a_partition_has_moved(first: Site, second: Site) -> None:
    plans = [{0: first.url, 1: NOBODY}, {0: first.url}, {0: first.url, 1: second.url}]

    assert found(SessionSearch(SETTINGS, PlannedOwners(*plans)), patience_s=30) == (["s0", "s1"], [])
    assert len(first.asked) == 1, "what has answered is not asked again"


def test_a_program_that_must_not_miss_a_session_gets_an_error_instead(first: Site) -> None:
    search = SessionSearch(SETTINGS, PlannedOwners({0: first.url}))

    with pytest.raises(OwnerUnavailable, match="partitions 1 do not answer; partition 1: no worker owns it"):
        search.find(SessionQuery(), patience_s=0, complete=True)
    with pytest.raises(OwnerUnavailable, match="partitions 1 "):
        next(search.pages(SessionQuery(), patience_s=0))
    with pytest.raises(OwnerUnavailable, match="partitions 0, 1 do not answer"):
        found(SessionSearch(SETTINGS, PlannedOwners({})))


def test_a_worker_that_refuses_the_token_is_no_missing_partition(first: Site) -> None:
    first.answer = lambda _: (401, b'{"error": "the request has no valid token"}')

    with pytest.raises(NotPermitted, match="no valid token"):
        found(SessionSearch(SETTINGS, PlannedOwners({0: first.url, 1: first.url})))
