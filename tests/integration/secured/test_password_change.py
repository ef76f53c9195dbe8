"""Processes that live for months go on when the password of their user changes and the broker ends its connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)
from msgspec import structs
from tests.support.celery_process import APP, celery_worker
from tests.support.secured_flow import cli
from tests.support.secured_kafka import SecuredKafka
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.client import KafkaPublisher, SessionReader
from triggers.core.events import ConfigurationUpdated, TriggerFired
from triggers.errors import SettingsError, TriggersError
from triggers.kafka.permissions import Process, permissions_of
from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

NAMESPACE = "changing"
RULES = {"t_echo": {"after": ["go"], "andEvery": "go", "run": f"{APP}.echo"}}
NEW_PASSWORD = "an0ther-of-scram"  # noqa: S105  # it opens a broker of the tests
CHANGED = "the password of Kafka's user"
PROCESSES = (Process.OPERATOR, Process.AGENT, Process.CELERY, Process.CLIENT)


@pytest.fixture
def kafka(no_process_is_left: None, tmp_path: Path) -> Iterator[SecuredKafka]:  # noqa: ARG001  # its check must follow
    """A broker of its own, because it is restarted."""
    try:
        made = SecuredKafka(tmp_path)
    except (FileNotFoundError, SettingsError) as error:
        pytest.skip(str(error))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _settings(kafka: SecuredKafka, folder: Path, process: Process) -> Settings:
    own = folder / process
    own.mkdir()
    settings = structs.replace(kafka.settings(process, NAMESPACE, own), publish_timeout_s=10.0, decisions=True)
    kafka.allow(process, permissions_of(process, settings))
    return settings


def _change_passwords(kafka: SecuredKafka, settings: dict[Process, Settings]) -> None:
    """Changes the password of every user on the broker, and then in its file."""
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192)
    users: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(each.kafka_username, how, NEW_PASSWORD.encode()) for each in settings.values()
    ]
    for future in kafka.admin.alter_user_scram_credentials(users).values():
        future.result(30)
    for each in settings.values():
        Path(each.kafka_password_file).write_text(NEW_PASSWORD)


def test_an_installation_goes_on_with_new_passwords_after_the_broker_has_ended_all_connections(
    kafka: SecuredKafka, tmp_path: Path
) -> None:
    settings = {process: _settings(kafka, tmp_path, process) for process in PROCESSES}
    assert cli(settings[Process.OPERATOR], "topics", "create", "--partitions", "2").exit_code == 0
    publisher, reader = KafkaPublisher(settings[Process.CLIENT]), SessionReader(settings[Process.CLIENT])
    with (
        WorkerProcess(settings[Process.AGENT], "w0") as agent,
        celery_worker(settings[Process.CELERY], "--pool=prefork", "-c1") as celery,
    ):
        agent.wait_ready()
        celery.wait_ready()
        publisher.publish("s", ConfigurationUpdated(configuration=json.dumps(RULES).encode()))
        publisher.publish("s", TriggerFired(trigger="go"))
        wait_until(lambda: _finished(reader) == 1, "the first task has run", 60)

        _change_passwords(kafka, settings)
        wait_until(lambda: CHANGED in celery.log.read_text(), "the Celery worker has read its password again", 60)
        wait_until(lambda: CHANGED in agent.log_text(), "the agent has read its password again", 60)
        kafka.restart()
        wait_until(lambda: _publishes(publisher), "the application goes on after an error at most", 120)
        wait_until(lambda: _finished(reader) == 2, f"the second task has run; see {celery.log}", 180)
        assert celery.running, "it was not restarted"

    assert "an0ther" not in celery.log.read_text()


def _finished(reader: SessionReader) -> int:
    try:
        return sum(each.status == "finished" for each in reader.read("s").instances)
    except (TriggersError, KafkaException):
        return 0


def _publishes(publisher: KafkaPublisher) -> bool:
    try:
        publisher.publish("s", TriggerFired(trigger="go", id="second"))
    except TriggersError:
        return False
    return True
