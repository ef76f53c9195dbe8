"""A record with a header whose name is no UTF-8: clients of librdkafka take text only, others take any bytes."""

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
    """Publish the record and wait until it is safe."""
    arguments = [settings.brokers, topic, key, value, str(partition)]
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}  # its Cython is stricter than its Python
    subprocess.run([sys.executable, "-c", _PROGRAM, *arguments], env=environment, check=True)
