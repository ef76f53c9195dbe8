"""The real Kafka of tests and of `triggers dev` answers, survives SIGKILL and leaves nothing behind."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from tests.support.topic_reader import read_topic, wait_until

from triggers.dev.broker import Broker, new_broker, running_broker
from triggers.errors import BrokerUnavailable
from triggers.settings import Settings

pytestmark = pytest.mark.broker

_HOLD_A_BROKER = """
from triggers.dev.broker import running_broker
with running_broker() as address:
    print(address, flush=True)
    input()
"""


@pytest.fixture
def own_broker(broker: str) -> Iterator[Broker]:
    """A broker that is not started. It depends on the shared one, because the machine may not be able to run any."""
    assert broker
    unstarted = new_broker()
    yield unstarted
    unstarted.stop()


def test_records_of_a_transaction_are_there_after_the_broker_was_killed(own_broker: Broker) -> None:
    own_broker.start()
    admin = AdminClient({"bootstrap.servers": own_broker.address})
    admin.create_topics([NewTopic("things", 1)])["things"].result()
    producer = Producer({"bootstrap.servers": own_broker.address, "transactional.id": "writer"})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce("things", b"one")
    producer.produce("things", b"two")
    producer.commit_transaction()

    own_broker.restart()

    def values() -> list[bytes | None]:
        return [record.value() for record in read_topic(Settings(brokers=own_broker.address), "things")]

    wait_until(lambda: values() == [b"one", b"two"], "the broker has read its log, and both records are there")


@pytest.mark.usefixtures("broker")
def test_data_in_a_folder_are_there_for_the_next_broker_of_the_folder(tmp_path: Path) -> None:
    """It may have other ports. The first broker is stopped while it runs, and says that it does not run any more."""
    first = new_broker(data=tmp_path / "kafka")
    try:
        first.start()
        assert not first.has_died()
        producer = Producer({"bootstrap.servers": first.address})
        admin = AdminClient({"bootstrap.servers": first.address})
        admin.create_topics([NewTopic("things", 1)])["things"].result()
        producer.produce("things", b"kept")
        assert producer.flush(60) == 0
    finally:
        first.stop()
    assert first.has_died()

    second = new_broker(data=tmp_path / "kafka")
    try:
        second.start()
        records = read_topic(Settings(brokers=second.address), "things")
    finally:
        second.stop()

    assert [record.value() for record in records] == [b"kept"]


def test_a_broker_that_cannot_start_says_why(own_broker: Broker) -> None:
    host, port = own_broker.address.split(":")
    with socket.socket() as listener:
        listener.bind((host, int(port)))

        with pytest.raises(BrokerUnavailable, match=r"(?i)already (in use|allocated)"):
            own_broker.start()


def test_a_broker_ends_with_the_process_that_started_it(broker: str) -> None:
    assert broker  # the shared broker shows that this machine can run one
    command = [sys.executable, "-c", _HOLD_A_BROKER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        address = holder.stdout.readline().strip()
        answered = _answers(address)

        holder.kill()

    assert answered
    wait_until(lambda: not _answers(address), "the broker is gone")


def test_a_broker_and_its_data_are_gone_when_the_block_ends(
    broker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with running_broker() as address:
        assert address != broker
        assert list(tmp_path.iterdir())

    assert not _answers(address)
    assert not list(tmp_path.iterdir())


def _answers(address: str) -> bool:
    try:
        return bool(AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=2).brokers)
    except KafkaException:
        return False
