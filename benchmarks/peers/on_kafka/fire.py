"""Publishes plain JSON with a bare client: `fire BROKERS TOPIC LOT RATE`. Restate gets its events in the same way."""

from __future__ import annotations

import json
import sys

from confluent_kafka import Producer

from benchmarks.peers.firing import fire_lot
from benchmarks.programs.client_options import producer_options


def main(brokers: str, topic: str, lot: str, rate: str) -> None:
    """Publishes the events and waits for their acknowledgement."""
    linger_ms = 0 if float(rate) else 5
    producer = Producer(producer_options(brokers) | {"enable.idempotence": True, "linger.ms": linger_ms})

    def fire(session: str, event: dict[str, object], _last: int) -> None:
        producer.produce(topic, json.dumps(event).encode(), session.encode())
        producer.poll(0)

    def flush() -> None:
        if remaining := producer.flush(60):
            raise SystemExit(f"{remaining} events were not acknowledged")

    fire_lot(fire, flush, lot, rate)


if __name__ == "__main__":
    main(*sys.argv[1:])
