"""The physical anchor: it consumes and produces the same bytes. It is idempotent with acks=all and has no state."""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, KafkaError, Message, Producer

from benchmarks.programs.client_options import consumer_options, producer_options
from triggers.topology import Topology

_MOST = 4000


def main(brokers: str, namespace: str, _folder: str) -> None:
    """Runs until it is killed. It commits offsets every five seconds, whether or not the output is acknowledged."""
    names = Topology(namespace)
    consumer = Consumer(consumer_options(brokers, names.agents) | {"enable.auto.commit": True})
    producer = Producer(producer_options(brokers) | {"enable.idempotence": True, "acks": "all", "linger.ms": 5})
    consumer.subscribe([names.events])
    while True:
        for message in consumer.consume(_MOST, 0.05):
            _pass_on(producer, names.commands, message)
        producer.poll(0)


def _pass_on(producer: Producer, topic: str, message: Message) -> None:
    if error := message.error():
        raise SystemExit(str(error))
    while True:
        try:
            return producer.produce(topic, message.value(), message.key(), on_delivery=_acknowledged)
        except BufferError:
            producer.poll(0.01)


def _acknowledged(error: KafkaError | None, _message: Message) -> None:
    if error is not None:
        raise SystemExit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
