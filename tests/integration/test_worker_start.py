"""How a worker starts, and what makes it refuse to."""

from __future__ import annotations

import socket

import msgspec
import pytest
from confluent_kafka.admin import AdminClient
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker


def test_a_worker_waits_for_missing_topics_and_names_the_command_that_creates_them(settings: Settings) -> None:
    with WorkerProcess(settings, "w0") as worker:
        wait_until(lambda: "triggers topics create" in worker.log_text(), "it names the command")
        assert Topology(settings.namespace).changelog in worker.log_text()
        assert worker.get("/ready")[0] == 503

        create_topics(settings)

        worker.wait_ready()
        assert worker.partitions() == [0, 1, 2, 3]


def test_a_worker_that_waits_for_topics_stops_at_sigterm(settings: Settings) -> None:
    with WorkerProcess(settings, "w0") as worker:
        wait_until(lambda: "triggers topics create" in worker.log_text(), "it waits")

        assert worker.terminate() == 0


def test_events_and_changelog_must_have_the_same_number_of_partitions(settings: Settings) -> None:
    create_topics(settings, changelog_partitions=3)

    with WorkerProcess(settings, "w0") as worker:
        assert worker.join() == 78

    assert "has 4 partitions and" in worker.log_text()


def test_a_taken_web_port_ends_the_worker(settings: Settings) -> None:
    create_topics(settings)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = WorkerProcess(settings, "w0")
        worker.settings = msgspec.structs.replace(worker.settings, web_port=listener.getsockname()[1])
        with worker:
            assert worker.join() == 73


def test_the_group_shows_who_owns_what_under_which_url(settings: Settings) -> None:
    names = create_topics(settings)
    with WorkerProcess(settings, "w0") as worker:
        worker.wait_ready()
        admin = AdminClient({"bootstrap.servers": settings.brokers})
        group = admin.describe_consumer_groups([names.agents], request_timeout=30)[names.agents].result()

    (member,) = group.members
    assert member.client_id == f"w0@{worker.url}"
    assert {tp.partition for tp in member.assignment.topic_partitions} == {0, 1, 2, 3}


def test_an_advertised_url_is_what_the_group_shows(settings: Settings) -> None:
    names = create_topics(settings)
    advertised = msgspec.structs.replace(settings, advertised_url="http://10.1.2.3:6066")
    with WorkerProcess(advertised, "w0") as worker:
        worker.wait_ready()
        admin = AdminClient({"bootstrap.servers": settings.brokers})
        group = admin.describe_consumer_groups([names.agents], request_timeout=30)[names.agents].result()

    assert [member.client_id for member in group.members] == ["w0@http://10.1.2.3:6066"]
