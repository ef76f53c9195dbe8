"""The web shop: it writes plain JSON to Kafka with a bare client, does not import the package and knows no rules.

python -m services.producer localhost:9092 triggers.events order-1 order-2
"""

from __future__ import annotations

import json
import sys

from confluent_kafka import Producer


def place_orders(brokers: str, topic: str, orders: list[str]) -> None:
    """Places the orders. Raises RuntimeError if Kafka has not acknowledged all of them."""
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "enable.idempotence": True})
    for order in orders:
        placed = {"amount": 30, "items": ["tea", "cup"], "email": f"{order}@example.com"}
        producer.produce(topic, json.dumps({"trigger": "orderPlaced", "kwargs": placed}), order)
    if left := producer.flush(30):
        raise RuntimeError(f"{left} records were not acknowledged by {brokers}")


if __name__ == "__main__":
    place_orders(sys.argv[1], sys.argv[2], sys.argv[3:])
