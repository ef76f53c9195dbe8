"""What the HTTP API has accepted is on Kafka, also if the broker is killed; what it has not, it says, and when to come
again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest
from tests.support.api_server import api_server
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.dev.broker import Broker
from triggers.kafka.range_reads import partition_starts, read_range
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

CLIENTS = 8


def test_no_accepted_fire_is_lost_when_the_broker_is_killed(own_broker: Broker, namespace: str, tmp_path: Path) -> None:
    settings = Settings(brokers=own_broker.address, namespace=namespace, partitions=2, publish_timeout_s=4.0)
    create_topics(settings)
    stop = Event()
    accepted: list[tuple[int, int]] = []
    refusals: list[httpx.Response] = []

    def fire(number: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not stop.is_set():
                response = client.post(f"/v1/sessions/s-{number}/triggers/t", json={"kwargs": {"n": len(accepted)}})
                if response.status_code == 202:
                    accepted.append((response.json()["partition"], response.json()["offset"]))
                else:
                    refusals.append(response)
                    stop.wait(int(response.headers["retry-after"]))

    with api_server(settings, tmp_path) as (url, _), ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(fire, number) for number in range(CLIENTS)]
        wait_until(lambda: len(accepted) > 200, "fires are accepted")
        own_broker.kill()
        wait_until(lambda: bool(refusals), "a fire is refused")
        own_broker.start()
        before = len(accepted)
        wait_until(lambda: len(accepted) > before + 200, "fires are accepted again, by the same process")
        stop.set()
        for each in running:
            each.result()

    starts = partition_starts(settings, Topology(namespace).events)
    on_kafka = {(m.partition() or 0, m.offset() or 0) for m in read_range(settings, Topology(namespace).events, starts)}
    assert set(accepted) <= on_kafka
    assert len(set(accepted)) == len(accepted)
    assert {response.status_code for response in refusals} == {503}
    assert all(int(response.headers["retry-after"]) >= 1 for response in refusals)
    assert all(own_broker.address not in response.text for response in refusals)


def test_while_no_broker_is_available_requests_fail_immediately(
    own_broker: Broker, namespace: str, tmp_path: Path
) -> None:
    settings = Settings(brokers=own_broker.address, namespace=namespace, partitions=1, publish_timeout_s=3.0)
    create_topics(settings)

    with api_server(settings, tmp_path) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
        assert client.post("/v1/sessions/s/triggers/t").status_code == 202
        own_broker.kill()
        assert client.post("/v1/sessions/s/triggers/t").status_code == 503
        started = time.monotonic()
        statuses = {client.post("/v1/sessions/s/triggers/t").status_code for _ in range(50)}
        took = time.monotonic() - started
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503

    assert statuses == {503}
    assert took < settings.publish_timeout_s, "fifty requests together take less than one that waits"


def test_more_fires_than_may_wait_for_the_broker_are_refused_at_once(
    own_broker: Broker, namespace: str, tmp_path: Path
) -> None:
    settings = Settings(brokers=own_broker.address, namespace=namespace, partitions=1, publish_timeout_s=6.0)
    create_topics(settings)

    with api_server(settings, tmp_path, TRIGGERS_API_MAX_IN_FLIGHT="3") as (url, _):
        with httpx.Client(base_url=url, timeout=60) as client:
            assert client.post("/v1/sessions/s/triggers/t").status_code == 202

        def fire(_: int) -> tuple[str, float]:
            started = time.monotonic()
            response = httpx.post(f"{url}/v1/sessions/s/triggers/t", timeout=60)
            return response.json().get("type", "").rpartition(":")[2], time.monotonic() - started

        own_broker.kill()
        with ThreadPoolExecutor(12) as clients:
            outcomes = list(clients.map(fire, range(12)))

    kinds = [kind for kind, _ in outcomes]
    assert kinds.count("unavailable") == 3
    assert kinds.count("overloaded") == 9
    assert max(seconds for kind, seconds in outcomes if kind == "overloaded") < settings.publish_timeout_s
