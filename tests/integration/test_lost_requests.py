"""Requests about a transaction that never reach the broker abort the transaction, and the producer goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from msgspec import structs
from tests.chaos.brokers import Brokers, running_broker_behind_a_door
from tests.chaos.doors import Answers, Door
from tests.chaos.wire import Api
from tests.support.offsets import fetch_committed
from tests.support.topic_setup import create_topics

from triggers.kafka.patience import Patience
from triggers.kafka.worker_options import producer_options
from triggers.settings import Settings
from triggers.store.batch import Batch
from triggers.store.transaction import Aborted, Transactions
from triggers.topology import Topology

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with running_broker_behind_a_door("producer", tmp_path_factory.mktemp("unheard")) as brokers:
        yield brokers


@pytest.fixture
def settings(brokers: Brokers, settings: Settings) -> Settings:
    """Settings of a client that reaches the broker without a door."""
    return structs.replace(settings, brokers=brokers.addresses)


@pytest.fixture
def lossy(brokers: Brokers) -> Iterator[Door]:
    """The door of the producer."""
    door = brokers.doors["producer"]
    yield door
    door.answers = None


def _transactions(brokers: Brokers, settings: Settings) -> Transactions:
    behind = structs.replace(settings, brokers=brokers.addresses_behind("producer"))
    names = Topology(settings.namespace)
    return Transactions(
        producer_options(behind, "w", 1_000_000, 1_000_000),
        source=names.events,
        changelog=names.changelog,
        patience=Patience(settings.transaction_timeout_s),
    )


async def test_a_transaction_of_which_the_broker_has_never_heard_is_aborted_and_the_next_one_is_committed(
    brokers: Brokers, settings: Settings, lossy: Door
) -> None:
    names = create_topics(settings)
    place = TopicPartition(names.events, 0)
    member = Consumer({"bootstrap.servers": settings.brokers, "group.id": names.agents, "log_level": 0})
    fetch_committed(member, [place])  # now the group has a coordinator
    transactions = _transactions(brokers, settings)
    transactions.fence_and_start()
    batch = Batch({}, frozenset({0}))
    batch.offsets[0] = 7

    lossy.answers = Answers(apis=frozenset({Api.ADD_OFFSETS_TO_TXN}), unheard=1.0)
    with pytest.raises(Aborted):
        transactions.commit(batch, member.consumer_group_metadata())
    lossy.answers = None
    transactions.commit(batch, member.consumer_group_metadata())

    assert lossy.unheard["AddOffsetsToTxn"] > 0
    assert fetch_committed(member, [place])[0].offset == 7
    member.close()
