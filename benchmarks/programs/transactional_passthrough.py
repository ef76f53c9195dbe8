"""The anchor with our guarantee: it commits a batch and its offsets in a transaction and waits for it."""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from benchmarks.programs.client_options import consumer_options, producer_options
from triggers.topology import Topology

_MOST = 4000
_BACKOFF = {"linger.ms": 0, "retry.backoff.ms": 5, "retry.backoff.max.ms": 20}


def main(brokers: str, namespace: str, _folder: str) -> None:
    """Runs until it is killed."""
    names = Topology(namespace)
    consumer = Consumer(consumer_options(brokers, names.agents))
    producer = Producer(producer_options(brokers) | _BACKOFF | {"transactional.id": f"{namespace}-passthrough"})
    producer.init_transactions(30)
    consumer.subscribe([names.events])
    while True:
        if first := consumer.poll(0.1):
            _transact(consumer, producer, names.commands, [first, *consumer.consume(_MOST - 1, 0)])


def _transact(consumer: Consumer, producer: Producer, topic: str, messages: list[Message]) -> None:
    reached: dict[int, int] = {}
    source = messages[0].topic() or ""
    producer.begin_transaction()
    for message in messages:
        if error := message.error():
            raise SystemExit(str(error))
        producer.produce(topic, message.value(), message.key())
        reached[message.partition() or 0] = (message.offset() or 0) + 1
    offsets = [TopicPartition(source, partition, offset) for partition, offset in reached.items()]
    producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 30)
    producer.commit_transaction(30)


if __name__ == "__main__":
    main(*sys.argv[1:])
