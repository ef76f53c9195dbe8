"""Fires over HTTP at a rate, and compares what was accepted with what is on Kafka.

    python -m benchmarks.http_fires --rate 2000 --seconds 20 --readers 200
    python -m benchmarks.http_fires --rate 6000 --seconds 15 --connections 1000 --max-in-flight 400 --pause-broker 5

Prints a line of JSON for each round.
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
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import psutil
import uvloop

from benchmarks.contenders import AGENT
from benchmarks.delivery import await_records, create_installation, publish
from benchmarks.http_load import Load, Tally, run_load
from benchmarks.processes import find_broker
from triggers.codec import encode_event
from triggers.codec.event_codec import EventDecoder
from triggers.core.events import ConfigurationUpdated, TriggerFired
from triggers.dev.broker import running_broker
from triggers.dev.stack import environment
from triggers.kafka.range_reads import partition_starts, read_range
from triggers.settings import Settings
from triggers.topology import Topology

_RULES = b'{"t_pay": {"after": ["orderPaid"], "run": "shop.pay"}}'
_PROCESSES = ("api", "clients", "broker", "worker")
_WARM_UP_S = 3.0


def main() -> None:
    """Run the rounds on a broker of their own."""
    options = _options()
    with running_broker(java_options=()) as broker, tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            sys.stdout.write(json.dumps(_measure(options, broker, Path(folder) / str(number))) + "\n")
            sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=2000, help="Fires per second.")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--connections", type=int, default=64, help="Connections that fire.")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--events", type=int, default=1, help="Events of a request; several are lines of JSON.")
    parser.add_argument("--readers", type=int, default=0, help="Connections that read. With them, a worker runs.")
    parser.add_argument("--reads-per-s", type=float, default=50.0, help="Reads of all readers together.")
    parser.add_argument("--max-in-flight", type=int, default=0, help="TRIGGERS_API_MAX_IN_FLIGHT.")
    parser.add_argument("--pause-broker", type=float, default=0.0, help="Seconds for which the broker is stopped.")
    return parser.parse_args()


def _measure(options: argparse.Namespace, broker: str, folder: Path) -> dict[str, object]:
    folder.mkdir()
    load = Load(
        rate=options.rate,
        seconds=options.seconds,
        connections=options.connections,
        sessions=options.sessions,
        events=options.events,
        readers=options.readers,
        reads_per_s=options.reads_per_s if options.readers else 0.0,
    )
    more = {"TRIGGERS_API_MAX_IN_FLIGHT": str(options.max_in_flight)} if options.max_in_flight else {}
    with ExitStack() as stack:
        settings = stack.enter_context(create_installation(broker))
        processes = [psutil.Process(), *filter(None, [find_broker()])]
        if load.readers:
            processes.append(stack.enter_context(_worker(settings, folder, load.sessions)))
        server, port = stack.enter_context(_server(settings, folder / "api.log", more))
        warm_up = Load(rate=500, seconds=_WARM_UP_S, connections=8, sessions=load.sessions)
        uvloop.run(run_load(port, warm_up, "warm"))  # connects the producer and fills caches
        before = [_cpu_seconds(process) for process in (server, *processes)]
        started = time.monotonic()
        tally = uvloop.run(_run(port, load, options.pause_broker))
        took = time.monotonic() - started
        cpu = [_cpu_seconds(process) - used for process, used in zip((server, *processes), before, strict=True)]
        return _report(load, tally, took, cpu, _ids_on_kafka(settings))


async def _run(port: int, load: Load, pause_broker_s: float) -> Tally:
    running = asyncio.create_task(run_load(port, load, "fire"))
    broker = find_broker()
    if pause_broker_s and broker is not None:
        await asyncio.sleep(load.seconds / 3)
        broker.suspend()
        await asyncio.sleep(pause_broker_s)
        broker.resume()
    return await running


def _report(load: Load, tally: Tally, took: float, cpu: Sequence[float], on_kafka: Counter[bytes]) -> dict[str, object]:
    accepted = Counter(tally.accepted)
    report: dict[str, object] = {
        "rate": load.rate,
        "per_s": round(len(tally.accepted) / took),
        "statuses": dict(tally.statuses),
        "without_retry_after": tally.refusals_without_retry_after,
        "accepted": len(tally.accepted),
        "lost": len(accepted - on_kafka),
        "repeated": sum(n - 1 for n in on_kafka.values()),
        "ms": _milliseconds(tally.latencies),
        "cores": dict(
            zip(("api", "clients", "broker", "worker"), (round(each / took, 2) for each in cpu), strict=False)
        ),
        "api_cpu_us": round(1e6 * cpu[0] / max(1, len(tally.latencies))),
        "load_average": round(os.getloadavg()[0], 1),
    }
    if load.readers:
        report["reads"] = {kind: _milliseconds(latencies) for kind, latencies in tally.reads.items()}
        report["read_statuses"] = dict(tally.read_statuses)
    return report


def _milliseconds(latencies: list[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(1000 * ordered[int((len(ordered) - 1) * share)], 1) for name, share in shares.items()}


@contextmanager
def _server(settings: Settings, log: Path, more: dict[str, str]) -> Iterator[tuple[psutil.Process, int]]:
    command = [sys.executable, "-m", "triggers.cli", "api", "serve", "--port", "0"]
    variables = {**os.environ, **environment(settings), **more}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=output, env=variables)
        try:
            yield psutil.Process(process.pid), _port(process.stdout)
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def _worker(settings: Settings, folder: Path, sessions: int) -> Iterator[psutil.Process]:
    """Runs a worker that has applied the first event of all sessions."""
    opening = [
        encode_event(ConfigurationUpdated(configuration=_RULES)),
        encode_event(TriggerFired(trigger="orderPaid")),
    ]
    publish(settings, ((b"s-%d" % number, value) for number in range(sessions) for value in opening))
    with AGENT.start(settings, folder) as agent:
        await_records(settings, Topology(settings.namespace).commands, agent, sessions)
        yield agent.process


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _port(output: IO[bytes] | None) -> int:
    line = output.readline().decode() if output is not None else ""
    return int(line.split("://", 1)[1].split(":")[1].split("/")[0])


def _ids_on_kafka(settings: Settings) -> Counter[bytes]:
    """Returns how often the id of each fire is on the topic of the events."""
    topic, decoder = Topology(settings.namespace).events, EventDecoder(settings.max_payload_bytes)
    messages = read_range(settings, topic, partition_starts(settings, topic))
    ids = (decoder.decode(message.value(), (), 0, 0).id for message in messages)
    return Counter(each.encode() for each in ids if each is not None and each.startswith("fire-"))


if __name__ == "__main__":
    main()
