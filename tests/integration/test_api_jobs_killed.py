"""A job outlives the server that runs it, and shares its items with another job: nothing is done twice."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.program import Program, environment
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.client.session_events import SessionEvents
from triggers.core.events import ReplayRequested
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

ITEMS = 60
RULES = {"t_bill": {"after": ["order"], "run": "shop.bill"}}
FAILED = {"type": "failed", "instance": "t_bill#0", "exception_type": "shop.Declined"}
WHERE = {"exception": "Declined"}


@pytest.fixture
def shop(settings: Settings) -> Iterator[Settings]:
    create_topics(settings)
    application = Application(settings)
    for uid in (f"order-{number:02}" for number in range(ITEMS)):
        for event in ({"configuration": RULES}, {"trigger": "order"}, FAILED):
            application.fire(uid, event)
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        wait_until_processed(settings)
        yield settings


@contextmanager
def server(settings: Settings, folder: Path) -> Iterator[tuple[httpx.Client, Program]]:
    """Starts a server of the API, which the test may kill."""
    folder.mkdir()
    with Program(folder, "api", "serve", "--port", "0", env=environment(settings)) as program:
        program.wait_for("API at ")
        with httpx.Client(base_url=re.findall(r"http://\S+:\d+", program.text)[0], timeout=120) as client:
            yield client, program


def counts(client: httpx.Client, job: str) -> dict[str, int]:
    """Returns how many items have which state, without the states that none has."""
    found: dict[str, Any] = client.get(f"/v1/jobs/{job}", params={"limit": 1}).json()["job"]
    return {state: number for state, number in found["counts"].items() if number}


def created(client: httpx.Client, rate: float) -> str:
    response = client.post("/v1/jobs", json={"action": "replay", "where": WHERE, "rate": rate, "max_items": ITEMS})
    assert (response.status_code, response.json()["items"]) == (202, ITEMS)
    job: str = response.json()["id"]
    return job


def test_two_jobs_on_the_same_items_a_killed_server_and_a_cancellation_do_nothing_twice(
    shop: Settings, tmp_path: Path
) -> None:
    with ExitStack() as servers:
        first, program = servers.enter_context(server(shop, tmp_path / "first"))
        second, _ = servers.enter_context(server(shop, tmp_path / "second"))
        job, other = created(first, rate=6), created(second, rate=4)
        wait_until(lambda: counts(second, job).get("applied", 0) > 0, "the first job has done some items")
        wait_until(lambda: counts(second, other).get("pending", ITEMS) < ITEMS, "the other job has begun, too")

        program.end(signal.SIGKILL)
        left = counts(second, job)
        third, _ = servers.enter_context(server(shop, tmp_path / "third"))
        resumed = [client.post(f"/v1/jobs/{job}/resume").status_code for client in (second, third)]
        cancelled = second.post(f"/v1/jobs/{other}/cancel")
        wait_until(
            lambda: not {"pending", "published"} & {*counts(third, job), *counts(third, other)}, "both jobs have ended"
        )
        ended, ended_other = counts(third, job), counts(third, other)

    assert left.get("pending", 0) > 0, "it was killed before its end"
    assert (resumed, cancelled.status_code) == ([202, 202], 200)
    assert ended_other.get("cancelled", 0) > 0
    assert ended.get("applied", 0) + ended_other.get("applied", 0) == ITEMS
    replays = Counter(uid for uid, event in SessionEvents(shop).read_all() if isinstance(event, ReplayRequested))
    refused = ended.get("refused", 0) + ended_other.get("refused", 0)
    assert (len(replays), sum(replays.values())) == (ITEMS, ITEMS), "each was applied once; refused ones are left out"
    assert len(read_topic(shop, Topology(shop.namespace).dead_letters)) == refused
