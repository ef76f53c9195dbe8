"""The answers of a worker over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from tests.support.questionnaires import Application, interleaved, questionnaire
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.client.publisher import KafkaPublisher
from triggers.core.events import TriggerFired
from triggers.settings import Settings
from triggers.topology import partition_of

pytestmark = pytest.mark.broker


@pytest.fixture
def worker(settings: Settings) -> Iterator[WorkerProcess]:
    create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        yield worker


def test_a_session_is_shown_with_its_tasks_instances_and_kwargs(settings: Settings, worker: WorkerProcess) -> None:
    application = Application(settings)
    for event in questionnaire(pages=2):
        application.fire("a/b c", event)
    application.flush()
    wait_until_processed(settings)

    status, session = worker.session("a/b c")

    assert status == 200
    assert session["uid"] == "a/b c"
    assert [task["name"] for task in session["tasks"]] == [
        "t_importSubject",
        "t_importResponses",
        "t_importBrowserMetadata",
    ]
    assert {i["name"]: i["status"] for i in session["instances"]} == {
        "t_importSubject#0": "finished",
        "t_importResponses#0": "scheduled",
        "t_importResponses#1": "scheduled",
        "t_importBrowserMetadata#0": "scheduled",
    }


def test_a_session_without_events_is_not_found(worker: WorkerProcess) -> None:
    assert worker.session("nobody") == (404, {"error": "there is no session 'nobody'"})


def test_a_read_sees_the_callers_own_write(settings: Settings, worker: WorkerProcess) -> None:
    publisher = KafkaPublisher(settings)
    try:
        for count in range(1, 20):
            written = publisher.publish("s1", TriggerFired(trigger="pageReceived"))

            status, session = worker.session("s1", after=written.offset, timeout=10)

            assert (status, session["events"]) == (200, count)
    finally:
        publisher.close()


def test_a_read_after_an_event_that_is_not_processed_times_out(worker: WorkerProcess) -> None:
    status, body = worker.session("s1", after=10_000, timeout=0.2)

    assert status == 503
    assert body == {"error": f"offset 10000 of partition {partition_of(b's1', 4)} is not processed yet"}


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": -1}, {"after": 1, "timeout": "nan"}])
def test_a_parameter_that_is_not_a_number_is_refused(worker: WorkerProcess, query: dict[str, object]) -> None:
    status, body = worker.session("s1", **query)

    assert status == 400
    assert "must be a number" in body["error"]


def test_sessions_are_listed_by_uid_with_prefix_and_limit(settings: Settings, worker: WorkerProcess) -> None:
    application = Application(settings)
    for uid, event in interleaved(sessions=12, pages=1, prefix="order-"):
        application.fire(uid, event)
    application.fire("other", {"trigger": "pageReceived"})
    application.flush()
    wait_until_processed(settings)

    everything = [s["uid"] for s in worker.get("/sessions")[1]["sessions"]]
    some = [s["uid"] for s in worker.get("/sessions?prefix=order-1&limit=2")[1]["sessions"]]

    assert everything == sorted([f"order-{n}" for n in range(12)] + ["other"])
    assert some == ["order-1", "order-10"]


def test_another_workers_session_is_misdirected(settings: Settings, worker: WorkerProcess) -> None:
    with WorkerProcess(settings, "w1") as second:
        wait_until(lambda: bool(worker.partitions() and second.partitions()), "both workers own partitions")
        foreign = next(u for u in map(str, range(99)) if partition_of(u.encode(), 4) in second.partitions())

        status, body = worker.session(foreign)

    assert status == 421
    assert body == {"error": f"another worker owns partition {partition_of(foreign.encode(), 4)}"}


def test_health_and_metrics_are_served_and_fausts_own_pages_are_not(worker: WorkerProcess) -> None:
    assert worker.get("/live") == (200, {})
    assert worker.get("/ready") == (200, {"partitions": [0, 1, 2, 3]})
    assert worker.metric("triggers_partitions") == 4
    for path in ("/", "/table", "/router", "/graph", "/table/sessions/s1"):
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(worker.raw(path))
