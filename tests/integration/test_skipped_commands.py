"""A Kafka client leaves out commands or jumps to the end. Every command runs once, and no commit passes it before."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import pytest
from celery import Celery
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from tests.support.commands import issue_in_transactions, make_command
from tests.support.executors import executors_lag
from tests.support.skipping_clients import BlindConsumer, SkippingConsumer, make_skipping_class
from tests.support.topic_reader import wait_until
from tests.support.topic_setup import create_topics

from triggers.celery import command_source, gap_proofs
from triggers.celery.dispatcher import Dispatcher
from triggers.celery.reader import Reader
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.screening import Screening
from triggers.kafka import background_gap_reader, gap_reader
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = pytest.mark.broker

TO_THE_END = 1_000_000


class Commands:
    """Finishes every command that a reader delivers at once, and remembers it."""

    def __init__(self, settings: Settings) -> None:
        self.done: list[str] = []
        self.died = threading.Event()
        screening = Screening(ResultPublisher(settings), tasks=None)
        self.reader = Reader(
            settings, screening, capacity=4, wake=lambda: None, await_results=lambda: None, on_death=self.died.set
        )

    def run(self, until: Callable[[], bool]) -> list[str]:
        """Runs commands until a condition holds and returns their ids in order."""
        self.reader.start()
        try:
            wait_until(lambda: self._run_some() or until(), "commands run")
        finally:
            self.reader.request_stop()
            self.reader.join(30)
        return self.done

    def _run_some(self) -> bool:
        while self.reader.ready:
            one = self.reader.ready.popleft()
            self.done.append(one.command.id)
            self.reader.settle(one)
        return False


def issued(settings: Settings, transactions: int = 20, each: int = 10) -> list[str]:
    """Issues commands on partition 0, several per transaction, and returns their ids."""
    groups = [[make_command("app.task", f"s{number}", n) for n in range(each)] for number in range(transactions)]
    issue_in_transactions(settings, groups, partition=0)
    return [one.id for group in groups for one in group]


@pytest.mark.parametrize(("first", "length"), [(0, 1), (3, 4), (25, 40), (7, TO_THE_END)])
def test_commands_that_the_client_left_out_run_once_and_the_lag_ends(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, first: int, length: int
) -> None:
    create_topics(settings)
    ids = issued(settings)
    faulty = make_skipping_class(first, length)
    monkeypatch.setattr(command_source, "Consumer", faulty)

    commands = Commands(settings)
    done = commands.run(until=lambda: executors_lag(settings) == 0)

    assert sorted(done) == sorted(ids)
    assert faulty.left_out == min(length, len(ids) - first)


def test_a_reader_that_is_repeatedly_paused_and_resumed_misses_no_command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topics(settings)
    ids = issued(settings, transactions=15)
    faulty = make_skipping_class(50, 30)
    monkeypatch.setattr(command_source, "Consumer", faulty)
    monkeypatch.setattr(command_source, "_MAX_MESSAGES", 5)

    commands = Commands(msgspec.structs.replace(settings, celery_prefetch=20))
    done = commands.run(until=lambda: executors_lag(settings) == 0)

    assert sorted(done) == sorted(ids)
    assert faulty.left_out == 30


def test_a_client_that_leaves_out_commands_every_time_ends_the_reader_and_no_commit_passes_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    create_topics(settings)
    ids = issued(settings, transactions=3)
    with monkeypatch.context() as planted:
        planted.setattr(command_source, "Consumer", make_skipping_class(12, 2, always=True))
        commands = Commands(settings)
        done = commands.run(until=commands.died.is_set)

    assert set(ids) - set(done) == set(ids[12:14])
    assert "the Kafka client skips records" in caplog.text

    healthy = Commands(settings)
    assert set(ids[12:14]) <= set(healthy.run(until=lambda: executors_lag(settings) == 0))


def test_a_gap_that_cannot_be_proved_ends_the_reader_and_no_commit_passes_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    create_topics(settings)
    ids = issued(settings, transactions=3)
    with monkeypatch.context() as planted:
        planted.setattr(gap_reader, "Consumer", BlindConsumer)
        planted.setattr(background_gap_reader, "_PROOF_S", 0.5)
        planted.setattr(gap_proofs, "_PAUSE_S", 0.1)
        planted.setattr(gap_proofs, "_PATIENCE_S", 2.0)
        commands = Commands(settings)

        def has_died() -> bool:
            issued(settings, transactions=1, each=1)  # the broker continues to deliver commands
            return commands.died.is_set()

        done = commands.run(until=has_died)

    assert set(ids) <= set(done)
    assert "it could not be found out for minutes whether the Kafka client has skipped records here" in caplog.text
    assert executors_lag(settings) > 0


def test_a_dispatcher_dispatches_commands_that_its_client_leaves_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topics(settings)
    ids = issued(settings, transactions=5)
    faulty: type[SkippingConsumer] = make_skipping_class(7, TO_THE_END)
    monkeypatch.setattr(command_source, "Consumer", faulty)
    sent: list[str] = []
    app = Celery(broker="memory://")
    monkeypatch.setattr(app, "send_task", lambda *_, task_id, **__: sent.append(task_id))
    stopping = threading.Event()
    dispatcher = Dispatcher(app, settings)
    running = threading.Thread(target=dispatcher.run, args=(stopping,))
    running.start()
    try:
        wait_until(lambda: executors_lag(settings) == 0, "everything is dispatched")
    finally:
        stopping.set()
        running.join(30)

    assert sorted(sent) == sorted(ids)
    assert faulty.left_out == len(ids) - 7


def test_commands_that_were_removed_before_they_ran_stop_the_reader_which_says_what_to_do(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    names = create_topics(settings)
    issued(settings, transactions=1)
    Commands(settings).run(until=lambda: executors_lag(settings) == 0)
    issued(settings, transactions=2)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.delete_records([TopicPartition(names.commands, 0, 15)])[TopicPartition(names.commands, 0)].result(30)

    late = Commands(settings)
    late.run(until=late.died.is_set)

    group = Topology(settings.namespace).executors
    assert f"{names.commands}/0 begins at offset 15: the records from offset 11 on were removed unread" in caplog.text
    assert f"kafka-consumer-groups.sh --group {group} --topic {names.commands}:0 --reset-offsets" in caplog.text
    assert late.done == []
