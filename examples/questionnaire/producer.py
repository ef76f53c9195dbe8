"""The application's web server as Kafka sees it: plain JSON from a bare client, as in any other language.

    python -m questionnaire.producer BROKERS TOPIC COUNT SEED SHARE SHARES

It publishes the questionnaires `SHARE` of `SHARES` with their events interleaved. It does not import `triggers`, and it
knows no rules: those are published once, and each questionnaire takes them with its first event. `QUESTIONNAIRE_KAFKA`
may have further properties of librdkafka in JSON, such as those of a secured cluster.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator

from confluent_kafka import KafkaError, Message, Producer

from questionnaire.questionnaires import Questionnaire, questionnaires


def main(brokers: str, topic: str, count: int, seed: int, *, share: int, shares: int) -> None:
    """Publishes the events, waits for every acknowledgement and prints the number of events."""
    options = {"bootstrap.servers": brokers, "acks": "all", "partitioner": "murmur2_random", "linger.ms": 5}
    producer = Producer({**options, **json.loads(os.environ.get("QUESTIONNAIRE_KAFKA", "{}"))})
    published = 0
    for uid, event in interleaved(questionnaires(count, seed)[share::shares], random.Random(seed + share)):  # noqa: S311
        send(producer, topic, uid, event)
        published += 1
    if left := producer.flush(60):
        raise SystemExit(f"{left} events were not acknowledged")
    print(published)


def send(producer: Producer, topic: str, uid: str, event: dict[str, object]) -> None:
    """Queues an event. The session is its key."""
    while True:
        try:
            producer.produce(topic, json.dumps(event).encode(), uid.encode(), on_delivery=delivered)
            producer.poll(0)
        except BufferError:
            producer.poll(0.1)
        else:
            return


def delivered(error: KafkaError | None, _message: Message) -> None:
    """Raises if an event was not delivered. Called for every event."""
    if error is not None:
        raise SystemExit(f"an event was not delivered: {error}")


def interleaved(sessions: list[Questionnaire], chance: random.Random) -> Iterator[tuple[str, dict[str, object]]]:
    """Interleaves the events of sessions. Some fifty people answer at a time, each in their own order."""
    waiting = iter(sessions)
    answering: list[tuple[str, Iterator[dict[str, object]]]] = []
    while True:
        while len(answering) < 50 and (found := next(waiting, None)):
            answering.append((found.uid, found.triggers()))
        if not answering:
            return
        chosen = chance.randrange(len(answering))
        uid, left = answering[chosen]
        if (event := next(left, None)) is None:
            del answering[chosen]
        else:
            yield uid, event


if __name__ == "__main__":
    _, brokers, topic, count, seed, share, shares = sys.argv
    main(brokers, topic, int(count), int(seed), share=int(share), shares=int(shares))
