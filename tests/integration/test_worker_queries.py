"""The answers of a worker over HTTP."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.support.program import run, run_json
from tests.support.questionnaires import Application, interleaved, questionnaire
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess
from tests.unit.client.http_server import serving

from triggers.client import SessionReader, SessionSearch
from triggers.client.publisher import KafkaPublisher
from triggers.client.worker_requests import RELAYED
from triggers.core.events import TriggerFired
from triggers.errors import NotPermitted
from triggers.kafka.sender import Coordinates
from triggers.queries import SessionQuery
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


def test_any_worker_answers_for_the_owner_of_a_session(settings: Settings, worker: WorkerProcess) -> None:
    with WorkerProcess(settings, "w1") as second:
        wait_until(lambda: bool(worker.partitions() and second.partitions()), "both workers own partitions")
        foreign = next(u for u in map(str, range(99)) if partition_of(u.encode(), 4) in second.partitions())
        written = publish(settings, foreign)

        status, session = worker.session(foreign, after=written.offset, timeout=10)
        offsets = worker.get(f"/events/{foreign}")
        passed_on = request(worker, f"/sessions/{foreign}", **{RELAYED: "1"})

    assert (status, session["uid"], session["events"]) == (200, foreign, 1)
    assert offsets == (200, {"partition": written.partition, "offsets": [written.offset], "rules": []})
    assert passed_on == (421, {"error": f"another worker owns partition {written.partition}"})


def test_a_relayed_read_reaches_only_the_owner_whatever_address_the_request_names(
    settings: Settings, worker: WorkerProcess
) -> None:
    with serving(lambda _: (200, b"{}")) as elsewhere, WorkerProcess(settings, "w1") as second:
        wait_until(lambda: bool(worker.partitions() and second.partitions()), "both workers own partitions")
        foreign = next(u for u in map(str, range(99)) if partition_of(u.encode(), 4) in second.partitions())
        publish(settings, foreign)
        wait_until(lambda: worker.session(foreign)[0] == 200, "the event is applied")
        host = elsewhere.url.removeprefix("http://")
        answers = [
            raw_request(worker, target, host)
            for target in (
                f"{elsewhere.url}/sessions/{foreign}",
                f"//{host}/sessions/{foreign}",
                f"/sessions/{foreign}?after=@{host}",
                f"/sessions/..%2f..%2f@{host}",
                f"/sessions/{foreign}%0d%0aHost:%20{host}",
                f"/sessions/http:%2f%2f{host}%2f",
            )
        ]

    assert elsewhere.asked == []
    assert all(answer.startswith(b"HTTP/1.1 ") for answer in answers)
    assert not any(b" 500 " in answer.partition(b"\r\n")[0] for answer in answers)


def raw_request(worker: WorkerProcess, target: str, host: str) -> bytes:
    """Sends a request whose target and Host are not those of the worker, as no library would."""
    assert worker.url is not None
    address = urlsplit(worker.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def publish(settings: Settings, uid: str) -> Coordinates:
    publisher = KafkaPublisher(settings)
    try:
        return publisher.publish(uid, TriggerFired(trigger="pageReceived"))
    finally:
        publisher.close()


def request(worker: WorkerProcess, path: str, **headers: str) -> tuple[int, object]:
    assert worker.url is not None
    asked = urllib.request.Request(worker.url + path, headers=headers)  # noqa: S310  # the URL is the worker's
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            return answer.status, msgspec.json.decode(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, msgspec.json.decode(error.read())


SHARED = "a-secret-of-all-processes"
READS = [
    "/sessions",
    "/sessions/s1",
    "/events/s1",
    "/rules",
    "/find",
    "/counts",
    "/failures",
    "/search",
    "/search/counts",
]


def test_with_a_token_only_those_who_know_it_read_sessions(settings: Settings) -> None:
    create_topics(settings)
    secured = msgspec.structs.replace(settings, read_token=SHARED)
    with WorkerProcess(secured, "w0") as worker:
        worker.wait_ready()
        publish(settings, "s1")
        wait_until_processed(settings)

        for path in READS:
            assert request(worker, path)[0] == 401
            assert request(worker, path, Authorization=f"Bearer {SHARED.title()}")[0] == 401
            assert request(worker, path, Authorization=f"Bearer {SHARED}")[0] == 200
        assert worker.get("/live")[0] == worker.get("/ready")[0] == 200
        assert worker.metric("triggers_partitions") == 4
        assert SessionReader(secured).read("s1").events == 1
        assert [found.uid for found in SessionSearch(secured).find(SessionQuery()).sessions] == ["s1"]
        with pytest.raises(NotPermitted, match="TRIGGERS_READ_TOKEN"):
            SessionReader(settings).read("s1")
        with pytest.raises(NotPermitted, match="TRIGGERS_READ_TOKEN"):
            SessionSearch(settings).find(SessionQuery())
        assert SHARED not in worker.log_text()


def test_a_worker_says_which_partitions_it_has_and_counts_their_stuck_sessions(
    settings: Settings, worker: WorkerProcess
) -> None:
    rules = {"t_ship": {"after": ["paid"], "run": "ship"}, "t_thank": {"after": ["t_ship", "known"], "run": "thank"}}
    application = Application(settings)
    for event in ({"configuration": rules}, {"trigger": "paid"}, {"type": "failed", "instance": "t_ship#0",
                  "exception_type": "shop.Lost"}):  # fmt: skip
        application.fire("s1", event)
    application.flush()
    wait_until_processed(settings)

    assert worker.get("/partitions") == (200, {"ready": [0, 1, 2, 3], "restoring": []})
    status = run_json(settings, "status")
    assert list(status["workers"]["partitions"].values()) == [[0, 1, 2, 3]]
    assert f"workers: {worker.url} 0-3" in run(settings, "status").stdout
    behind = b'triggers_stuck_sessions{why="behind_failure"} 1.0'
    wait_until(lambda: behind in worker.raw("/metrics"), "the stuck session is counted")


def test_health_and_metrics_are_served_and_fausts_own_pages_are_not(worker: WorkerProcess) -> None:
    assert worker.get("/live") == (200, {})
    assert worker.get("/ready") == (200, {"partitions": [0, 1, 2, 3]})
    assert worker.metric("triggers_partitions") == 4
    for path in ("/", "/table", "/router", "/graph", "/table/sessions/s1"):
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(worker.raw(path))
