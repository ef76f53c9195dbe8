"""A worker follows size limits of topics that change while it runs: no event is lost, and none is in a loop."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from tests.support.fold_oracle import assert_equals_fold
from tests.support.questionnaires import Application
from tests.support.settled import wait_until_processed
from tests.support.topic_reader import read_topic, wait_until
from tests.support.topic_setup import create_topics
from tests.support.worker_process import WorkerProcess

from triggers.codec import DeadLetter, decode_command, decode_dead_letter
from triggers.kafka import topic_configs
from triggers.kafka.patience import Patience
from triggers.kafka.worker_options import producer_options
from triggers.process.exits import ExitCode
from triggers.settings import Settings
from triggers.store.batch import Batch, Output
from triggers.store.transaction import TooLargeForTopic, Transactions
from triggers.topology import Topology
from triggers.worker import topic_limits

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

LIMIT = 20_000
SMALL = 1_000
RULES = {
    "t_page": {"after": [], "andEvery": "page", "run": "app.page"},
    "t_gpu": {"after": ["never"], "run": "app.gpu"},
}


def noise(size: int) -> str:
    """Returns text that cannot be compressed, because a limit is that of the compressed batch."""
    return random.Random(size).randbytes(size // 2).hex()  # noqa: S311  # repeatable


@pytest.fixture
def application(settings: Settings) -> Application:
    create_topics(settings, queues=["gpu"])
    return Application(settings)


@pytest.fixture
def worker(settings: Settings, application: Application) -> Iterator[WorkerProcess]:
    application.fire("s1", {"configuration": RULES})
    application.fire("s1", {"trigger": "page", "kwargs": {"page": "first"}})
    application.flush()
    with WorkerProcess(settings, "w0") as worker:
        wait_until_processed(settings)
        yield worker


def limit(settings: Settings, topic: str, size: int) -> None:
    """Changes the limit of a topic, as `kafka-configs --alter` does, and waits until the broker applies it."""
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    topic_configs.set_topic_config(admin, topic, "max.message.bytes", str(size), 30)

    def described() -> str:
        return topic_configs.read_topic_configs(admin, [topic], 30)[topic]["max.message.bytes"]

    wait_until(lambda: described() == str(size), "the limit is changed")


def dead_letters(settings: Settings) -> list[DeadLetter]:
    return [decode_dead_letter(m.value()) for m in read_topic(settings, Topology(settings.namespace).dead_letters)]


def commands(settings: Settings) -> list[str]:
    return [decode_command(m.value()).id for m in read_topic(settings, Topology(settings.namespace).commands)]


@pytest.mark.parametrize(("room", "excess"), [("commands", "a command of"), ("changelog", "a row of")])
def test_an_event_that_no_longer_fits_becomes_a_dead_letter_and_the_others_are_applied(
    settings: Settings, application: Application, worker: WorkerProcess, room: str, excess: str
) -> None:
    topic = str(getattr(Topology(settings.namespace), room))
    limit(settings, topic, LIMIT)
    application.fire("s1", {"trigger": "page", "kwargs": {"page": noise(2 * LIMIT)}})
    application.fire("s1", {"trigger": "page", "kwargs": {"page": "last"}})
    application.flush()
    wait_until_processed(settings)

    (letter,) = dead_letters(settings)
    assert (letter.reason, letter.offset) == ("decision too large", 2)
    assert excess in letter.detail
    assert f"{topic} accepts {LIMIT - 256}" in letter.detail
    assert commands(settings) == ["s1/t_page#0/1", "s1/t_page#1/1"]
    assert worker.running
    assert 0 < worker.metric("triggers_aborted_transactions_total") < topic_limits._MAX_REFUSALS
    assert_equals_fold(settings, without={(letter.partition, letter.offset)})


def test_many_small_commands_fit_into_a_limit_that_is_smaller_than_a_batch_of_them(
    settings: Settings, application: Application, worker: WorkerProcess
) -> None:
    limit(settings, Topology(settings.namespace).commands, LIMIT)
    for page in range(200):
        application.fire("s1", {"trigger": "page", "kwargs": {"page": noise(SMALL) + str(page)}})
    application.flush()
    wait_until_processed(settings)

    assert dead_letters(settings) == []
    assert len(commands(settings)) == 201
    assert worker.running
    assert_equals_fold(settings)


def describe_large_limits() -> None:
    """Lets a worker believe that topics accept more than they do. No broker of ours is wrong about that for long."""

    def read_wrong(admin: AdminClient, topics: Sequence[str], timeout_s: float) -> dict[str, dict[str, str]]:
        configs = topic_configs.read_topic_configs(admin, topics, timeout_s)
        return {topic: config | {"max.message.bytes": "1000000"} for topic, config in configs.items()}

    pytest.MonkeyPatch().setattr("triggers.kafka.installed_topics.read_topic_configs", read_wrong)


def test_a_worker_ends_and_names_topic_size_and_limit_if_a_broker_refuses_what_its_limit_allows(
    settings: Settings, application: Application
) -> None:
    commands = Topology(settings.namespace).commands
    limit(settings, commands, LIMIT)
    application.fire("s1", {"configuration": RULES})
    application.fire("s1", {"trigger": "page", "kwargs": {"page": noise(2 * LIMIT)}})
    application.flush()

    with WorkerProcess(settings, "w0", plant=describe_large_limits) as worker:
        assert worker.join() == ExitCode.BROKER
        (line,) = [line for line in worker.log_text().splitlines() if "worker exits" in line]

    assert f"refused a record {topic_limits._MAX_REFUSALS} times" in line
    assert f"bytes for {commands} (limit 999744)" in line
    assert "Raise max.message.bytes" in line


@pytest.mark.parametrize("count", [1, 20_000])
async def test_the_reason_of_a_refusal_is_known_even_if_later_records_are_produced_into_the_lost_transaction(
    settings: Settings, count: int
) -> None:
    names = create_topics(settings, limits={Topology(settings.namespace).commands: LIMIT})
    member = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents})
    options = producer_options(settings, "w", LIMIT, 1_000_000)
    patience = Patience(settings.transaction_timeout_s)
    transactions = Transactions(options, source=names.events, changelog=names.changelog, patience=patience)
    transactions.fence_and_start()
    large, small = Output(names.commands, b"s", noise(2 * LIMIT).encode()), Output(names.commands, b"s", b"small")

    with pytest.raises(TooLargeForTopic, match="MSG_SIZE_TOO_LARGE") as refused:
        transactions.commit(batch_of([large] + [small] * (count - 1)), member.consumer_group_metadata())
    transactions.commit(batch_of([small]), member.consumer_group_metadata())

    assert names.commands in refused.value.detail
    assert [m.value() for m in read_topic(settings, names.commands)] == [b"small"]
    member.close()


def batch_of(outputs: list[Output]) -> Batch:
    batch = Batch({}, frozenset({0}))
    batch.outputs += outputs
    return batch
