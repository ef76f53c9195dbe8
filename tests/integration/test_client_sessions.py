"""The manager on the stream, with a real Kafka and real workers. Reads see the caller's writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from msgspec import structs
from tests.support.worker_process import WorkerProcess

from triggers.client import KafkaPublisher, SessionReader
from triggers.client.dead_letters import DeadLetters
from triggers.core.events import TaskFailed, TriggerFired
from triggers.errors import InstanceNotFound, OwnerUnavailable, SessionNotFound, WrongStatus
from triggers.kafka.topics import create_topics
from triggers.manager import TriggerManager
from triggers.settings import Settings
from triggers.storages.stream import StreamStorage

pytestmark = pytest.mark.broker

RULES: dict[str, dict[str, object]] = {"t_import": {"after": ["page"], "andEvery": "page", "run": "app.import_page"}}


@pytest.fixture
def patient(settings: Settings) -> Settings:
    """Settings with a read timeout above the session timeout, so that a read outlasts the death of a worker."""
    create_topics(settings)
    return structs.replace(settings, read_timeout_s=90.0)


@pytest.fixture
def worker(patient: Settings) -> Iterator[WorkerProcess]:
    with WorkerProcess(patient, "w-0") as worker:
        yield worker


def manager_of(settings: Settings, uid: str) -> TriggerManager:
    return TriggerManager(StreamStorage(uid, settings))


@pytest.mark.usefixtures("worker")
def test_a_read_sees_everything_its_storage_wrote(patient: Settings) -> None:
    manager = manager_of(patient, "s1")
    manager.update_configuration(RULES)

    for page in range(20):
        manager.fire("page", {"page": page})
        assert manager.storage.read().events == page + 2

    assert [instance.name for instance in manager.get_unresolved_instances()] == [f"t_import#{n}" for n in range(20)]


@pytest.mark.usefixtures("worker")
def test_a_failed_instance_is_replayed_once_and_cannot_be_skipped_afterwards(patient: Settings) -> None:
    manager = manager_of(patient, "s1")
    manager.update_configuration(RULES)
    manager.fire("page", {"page": 1})
    with pytest.raises(WrongStatus, match="in scheduled state cannot be replayed"):
        manager.replay_failed_instance("t_import#0")
    manager.storage.write(TaskFailed(instance="t_import#0", attempt=1, exception_type="app.Broken"))

    manager.replay_failed_instance("t_import#0", {"page": {"page": 2}})

    statuses = {instance.name: instance.status for instance in manager.storage.read().instances}
    assert statuses == {"t_import#0": "replayed", "t_import#1": "scheduled"}
    with pytest.raises(WrongStatus, match="in replayed state cannot be skipped"):
        manager.skip_failed_instance("t_import#0")
    with pytest.raises(InstanceNotFound):
        manager.skip_failed_instance("t_import#7")
    assert DeadLetters(patient).read_newest() == []


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("uid", ["applicant:7/ü", "a b%2F+?&#", "x" * 1024])
def test_odd_uids_work_like_any_other(patient: Settings, uid: str) -> None:
    manager = manager_of(patient, uid)
    with pytest.raises(SessionNotFound):
        manager.storage.read()

    manager.fire("page")

    assert manager.storage.read().uid == uid


def test_sessions_stay_readable_when_a_worker_is_killed(patient: Settings) -> None:
    managers = [manager_of(patient, f"s{n:02}") for n in range(30)]
    with ExitStack() as stack:
        workers = [stack.enter_context(WorkerProcess(patient, f"w-{n}")) for n in range(2)]
        for worker in workers:
            worker.wait_ready()
        for manager in managers:
            manager.fire("page")
        before = [manager.storage.read().uid for manager in managers]
        listed = [session.uid for session in SessionReader(patient).summaries(prefix="s")]

        workers[0].kill()
        for manager in managers:
            manager.fire("page")
        after = [manager.storage.read().uid for manager in managers if manager.storage.read().events == 2]

    assert before == listed == after == [manager.storage.uid for manager in managers]


def test_without_a_worker_a_write_is_safe_and_a_read_says_who_is_missing(patient: Settings) -> None:
    written = KafkaPublisher(patient).publish("s1", TriggerFired(trigger="page"))

    with pytest.raises(OwnerUnavailable, match=f"{patient.namespace}.agents"):
        SessionReader(structs.replace(patient, read_timeout_s=1.0)).read("s1", after=written)

    with WorkerProcess(patient, "w-0"):
        assert SessionReader(patient).read("s1", after=written).events == 1
