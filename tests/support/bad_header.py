"""Sends a record with a header whose name is not UTF-8. librdkafka's clients accept only text as a name."""

from __future__ import annotations

import os
import subprocess
import sys

from triggers.settings import Settings

_PROGRAM = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Bytes(str):
    def encode(self, *_):
        return b"\\xff\\xfe"

async def main(brokers, topic, key, value, partition):
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    headers = [(Bytes("h"), b"x")]
    await producer.send_and_wait(topic, value.encode(), key.encode(), int(partition), headers=headers)
    await producer.stop()

asyncio.run(main(*sys.argv[1:]))
"""


def send_bad_header(settings: Settings, topic: str, key: str, value: str, partition: int) -> None:
    """Publishes the record and waits until it is acknowledged."""
    arguments = [settings.brokers, topic, key, value, str(partition)]
    # aiokafka's Cython encoder rejects such a header, its Python encoder accepts it
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    subprocess.run([sys.executable, "-c", _PROGRAM, *arguments], env=environment, check=True)
