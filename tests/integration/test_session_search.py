"""Searches over all partitions of real workers, also while partitions move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event, Thread
from urllib.parse import urlencode

import pytest
from confluent_kafka import Producer
from tests.support.fold_oracle import assert_equals_fold
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.client.session_search import SessionSearch
from triggers.errors import CallError, OwnerUnavailable
from triggers.queries import Page, SessionQuery
from triggers.queries.index_rows import COUNTS, FAILURES, REACH
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

pytestmark = pytest.mark.broker

RULES = {
    "t_bill": {"after": ["order"], "run": "shop.bill"},
    "t_ship": {"after": ["t_bill", "address"], "run": "shop.ship"},
}
ORDERS = 60
FAILED = 20
UIDS = [f"order-{number:03}" for number in range(ORDERS)]
FAILED_QUERY = SessionQuery(status="failed", task="t_bill")


@dataclass
class Shop:
    settings: Settings
    search: SessionSearch
    application: Application


@pytest.fixture
def topics(settings: Settings) -> Shop:
    create_topics(settings)
    return Shop(settings, SessionSearch(settings), Application(settings))


@pytest.fixture
def shop(topics: Shop) -> Iterator[Shop]:
    """Orders of which the first have failed, and a worker that has applied them."""
    with WorkerProcess(topics.settings, "w0") as worker:
        worker.wait_ready()
        take_orders(topics)
        yield topics


def take_orders(shop: Shop) -> None:
    for number, uid in enumerate(UIDS):
        shop.application.fire(uid, {"configuration": RULES})
        shop.application.fire(uid, {"trigger": "order"})
        if number < FAILED:
            shop.application.fire(uid, failure(f"card {number % 2} was declined"))
    shop.application.flush()
    wait_until_processed(shop.settings)


def failure(message: str, instance: str = "t_bill#0") -> dict[str, object]:
    return {
        "type": "failed",
        "instance": instance,
        "exception_type": "shop.errors.Declined",
        "exception_message": message,
    }


def every_page(search: SessionSearch, query: SessionQuery, limit: int) -> list[Page]:
    pages = [search.find(query, limit=limit)]
    while pages[-1].cursor is not None:
        pages.append(search.find(query, limit=limit, cursor=pages[-1].cursor))
    return pages


def uids_of(*pages: Page) -> list[str]:
    return [session.uid for page in pages for session in page.sessions]


def test_pages_have_every_failed_session_of_all_partitions_once_with_its_reason(shop: Shop) -> None:
    pages = every_page(shop.search, FAILED_QUERY, limit=7)

    assert uids_of(*pages) == UIDS[:FAILED]
    assert all(page.is_complete for page in pages)
    assert {each.message for page in pages for session in page.sessions for each in session.failures} == {
        "card 0 was declined",
        "card 1 was declined",
    }
    assert uids_of(*every_page(shop.search, SessionQuery(), limit=1000)) == UIDS
    rest = shop.search.pages(FAILED_QUERY, limit=3, cursor=pages[0].cursor)
    assert uids_of(*rest) == UIDS[7:FAILED]


def test_counts_and_groups_follow_replays(shop: Shop) -> None:
    def counts() -> dict[tuple[str, str], int]:
        return {(each.task, each.status): each.instances for each in shop.search.count_statuses().counts}

    assert counts() == {("t_bill", "failed"): FAILED, ("t_bill", "scheduled"): ORDERS - FAILED}
    groups = shop.search.group_failures().groups
    assert [(each.message, each.instances, each.sessions) for each in groups] == [
        ("card 0 was declined", 10, 10),
        ("card 1 was declined", 10, 10),
    ]

    for uid in UIDS[: FAILED // 2]:
        shop.application.fire(uid, {"type": "replay", "instance": "t_bill#0"})
    shop.application.flush()
    wait_until_processed(shop.settings)

    assert counts() == {("t_bill", "failed"): 10, ("t_bill", "replayed"): 10, ("t_bill", "scheduled"): ORDERS - 10}
    assert uids_of(shop.search.find(FAILED_QUERY)) == UIDS[10:FAILED]
    assert {each.instances for each in shop.search.group_failures("t_bill").groups} == {5}
    assert shop.search.group_failures("t_ship").groups == []


def test_any_worker_searches_all_partitions(shop: Shop) -> None:
    with WorkerProcess(shop.settings, "w1") as second:
        second.wait_ready()
        wait_until(lambda: owns_some(second), "partitions of the second worker")
        page = second.get(f"/search?{urlencode({'query': FAILED_QUERY.to_json().decode(), 'limit': 7})}")
        rest = second.get(
            f"/search?{urlencode({'query': FAILED_QUERY.to_json().decode(), 'cursor': page[1]['cursor']})}"
        )
        counts = second.get("/search/counts")[1]["counts"]
        groups = second.get("/search/failures?task=t_bill")[1]["groups"]

        assert [session["uid"] for _, each in (page, rest) for session in each["sessions"]] == UIDS[:FAILED]
        assert sum(each["instances"] for each in counts) == ORDERS
        assert sum(each["instances"] for each in groups) == FAILED
        assert second.get("/search?query=%7B%22colour%22%3A1%7D")[0] == second.get("/search?limit=0")[0] == 400


def test_a_cursor_of_another_query_is_refused(shop: Shop) -> None:
    cursor = shop.search.find(FAILED_QUERY, limit=1).cursor

    with pytest.raises(CallError, match="belongs to another query"):
        shop.search.find(SessionQuery(), cursor=cursor)
    with pytest.raises(CallError, match="is no cursor"):
        shop.search.find(FAILED_QUERY, cursor="%")


def test_the_index_is_restored_on_another_machine(topics: Shop) -> None:
    with WorkerProcess(topics.settings, "w0") as worker:
        worker.wait_ready()
        take_orders(topics)
    with WorkerProcess(topics.settings, "w1") as other:
        other.wait_ready()

        page = topics.search.find(FAILED_QUERY, limit=100)
        counts = topics.search.count_statuses()

    assert uids_of(page) == UIDS[:FAILED]
    assert sum(each.instances for each in counts.counts) == ORDERS
    assert counts.counting == []


def test_sessions_that_an_earlier_release_has_stored_are_added_to_the_index(topics: Shop) -> None:
    with WorkerProcess(topics.settings, "w0") as worker:
        worker.wait_ready()
        take_orders(topics)
        worker.terminate()
    remove_index(topics.settings)

    with WorkerProcess(topics.settings, "w1") as upgraded:
        upgraded.wait_ready()
        wait_until(lambda: topics.search.count_statuses().counting == [], "all sessions are counted")

        counts = {(each.task, each.status): each.instances for each in topics.search.count_statuses().counts}
        assert counts == {("t_bill", "failed"): FAILED, ("t_bill", "scheduled"): ORDERS - FAILED}
        assert uids_of(*every_page(topics.search, FAILED_QUERY, limit=50)) == UIDS[:FAILED]
    assert_equals_fold(topics.settings)


def remove_index(settings: Settings) -> None:
    """Leaves the changelog as a release without the index would have written it."""
    changelog = Topology(settings.namespace).changelog
    producer = Producer({"bootstrap.servers": settings.brokers})
    for message in read_topic(settings, changelog):
        key = message.key() or b""
        if key.startswith((FAILURES, COUNTS, REACH)):
            producer.produce(changelog, None, key, message.partition() or 0)
    assert producer.flush(30) == 0


def test_without_a_worker_nothing_is_answered(topics: Shop) -> None:
    with pytest.raises(OwnerUnavailable, match="no worker owns it"):
        topics.search.find(SessionQuery(), patience_s=0.2)


def test_while_partitions_move_an_answer_names_those_that_it_lacks(shop: Shop) -> None:
    """A second worker joins and is killed, while somebody searches all the time."""
    pages: list[Page] = []
    refused: list[str] = []
    enough = Event()

    def search() -> None:
        reader = SessionSearch(shop.settings)
        while not enough.is_set():
            try:
                pages.append(reader.find(FAILED_QUERY, limit=100, patience_s=0))
            except OwnerUnavailable as error:
                refused.append(str(error))

    (searching := Thread(target=search)).start()
    stale = SessionSearch(shop.settings)
    assert stale.find(FAILED_QUERY).is_complete
    try:
        with WorkerProcess(shop.settings, "w1") as second:
            second.wait_ready()
            wait_until(lambda: owns_some(second), "partitions of the second worker")
            pages.append(stale.find(FAILED_QUERY, limit=100, patience_s=0))
            assert [each.partition for each in pages[-1].missing] == second.partitions()
            assert stale.find(FAILED_QUERY, limit=100).is_complete, "the next search asks Kafka for the owners"
            second.kill()
            pages.append(stale.find(FAILED_QUERY, limit=100, patience_s=0))
            assert all("does not answer" in each.reason for each in pages[-1].missing)
            with pytest.raises(OwnerUnavailable, match=r"partitions \d.* do not answer"):
                shop.search.find(FAILED_QUERY, patience_s=0, complete=True)
        wait_until(lambda: stale.find(FAILED_QUERY, limit=100).is_complete, "the first worker has all partitions again")
    finally:
        enough.set()
        searching.join()

    assert [bool(page.missing) for page in pages].count(True) >= 2
    for page in pages:
        lacking = {each.partition for each in page.missing}
        assert uids_of(page) == [uid for uid in UIDS[:FAILED] if partition_of_uid(shop, uid) not in lacking]
        assert all(each.reason for each in page.missing)
    assert refused == []


def owns_some(worker: WorkerProcess) -> bool:
    status, body = worker.get("/ready")
    return status == 200 and bool(body["partitions"])


def partition_of_uid(shop: Shop, uid: str) -> int:
    return partition_of(uid.encode(), shop.settings.partitions)
