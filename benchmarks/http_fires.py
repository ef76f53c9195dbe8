"""Fires over HTTP at a rate, and counts what is on Kafka: python -m benchmarks.http_fires --rate 2000 --seconds 20.

The load is open: a request is due at its time, whether or not earlier ones are answered, and its latency counts from
then. So a server that stalls cannot hide it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from triggers.dev.broker import running_broker
from triggers.dev.stack import environment
from triggers.kafka.range_reads import partition_starts, read_range
from triggers.kafka.topics import create_topics
from triggers.settings import Settings
from triggers.topology import Topology

_BODY = b'{"kwargs": {"amount": 3, "customer": "c-17", "items": ["a", "b", "c"]}}'


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)


def main() -> None:
    """Run the load against an API of its own on a broker of its own, or on --broker, and print one line of JSON."""
    options = _options()
    own = nullcontext(options.broker) if options.broker else running_broker()
    with tempfile.TemporaryDirectory() as folder, own as broker:
        sys.stdout.write(json.dumps(_measure(options, broker, Path(folder))) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--broker")
    return parser.parse_args()


def _measure(options: argparse.Namespace, broker: str, folder: Path) -> dict[str, object]:
    settings = Settings(brokers=broker, namespace=f"bench{uuid.uuid4().hex[:8]}", partitions=8, data_dir=folder)
    create_topics(settings)
    with _server(settings, folder / "api.log") as (port, server):
        asyncio.run(_load(port, options.rate, 2.0, options))  # connects the producer and fills caches
        before, cpu = _records(settings), _cpu_seconds(server)
        started = time.monotonic()
        tally = asyncio.run(_load(port, options.rate, options.seconds, options))
        took, cpu = time.monotonic() - started, _cpu_seconds(server) - cpu
    latencies = sorted(tally.latencies)
    return {
        "rate": options.rate,
        "requests": len(latencies),
        "per_s": round(len(latencies) / took),
        "server_cpu_us": round(1e6 * cpu / len(latencies)),
        "statuses": dict(tally.statuses),
        "on_kafka": _records(settings) - before,
        "p50_ms": round(1000 * latencies[len(latencies) // 2], 1),
        "p99_ms": round(1000 * latencies[len(latencies) * 99 // 100], 1),
        "max_ms": round(1000 * latencies[-1], 1),
    }


@contextmanager
def _server(settings: Settings, log: Path) -> Iterator[tuple[int, psutil.Process]]:
    command = [sys.executable, "-m", "triggers.cli", "api", "serve", "--port", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=output, env={**os.environ, **environment(settings)}
        )
        try:
            yield _port(process.stdout), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _cpu_seconds(server: psutil.Process) -> float:
    times = server.cpu_times()
    return float(times.user + times.system)


def _port(output: IO[bytes] | None) -> int:
    line = output.readline().decode() if output is not None else ""
    return int(line.split("://", 1)[1].split(":")[1].split("/")[0])


def _records(settings: Settings) -> int:
    topic = Topology(settings.namespace).events
    return sum(1 for _ in read_range(settings, topic, partition_starts(settings, topic)))


async def _load(port: int, rate: int, seconds: float, options: argparse.Namespace) -> Tally:
    tally, due = Tally(), asyncio.Queue[tuple[float, int] | None]()
    clients = [asyncio.create_task(_client(port, due, tally, options.sessions)) for _ in range(options.connections)]
    begin, total = time.monotonic(), int(rate * seconds)
    sent = 0
    while sent < total:
        now = time.monotonic()
        while sent < total and begin + sent / rate <= now:
            due.put_nowait((begin + sent / rate, sent))
            sent += 1
        await asyncio.sleep(0.002)
    for _ in clients:
        due.put_nowait(None)
    await asyncio.gather(*clients)
    return tally


async def _client(port: int, due: asyncio.Queue[tuple[float, int] | None], tally: Tally, sessions: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (item := await due.get()) is not None:
        at, number = item
        writer.write(
            b"POST /v1/sessions/s-%d/triggers/orderPaid HTTP/1.1\r\nhost: localhost\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (number % sessions, len(_BODY), _BODY)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        tally.statuses[int(head[9:12])] += 1
        tally.latencies.append(time.monotonic() - at)
    writer.close()


if __name__ == "__main__":
    main()
