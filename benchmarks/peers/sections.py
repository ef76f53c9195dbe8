"""The sections of the benchmark that need other systems. One that is missing is left out, with what to install."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import TypeVar

from confluent_kafka import KafkaException

from benchmarks.latency import Latency
from benchmarks.peers.installations import OURS, PEERS
from benchmarks.peers.kafka_streams import build_program
from benchmarks.peers.site import Peer
from benchmarks.peers.stream_check import check_commands
from benchmarks.peers.stream_processors import AGENT_ALONE, PROCESSORS, StreamProcessor
from benchmarks.peers.streams import OpenSessions, measure_stream, measure_stream_latency
from benchmarks.peers.whole_loops import RATES, LoopRun, SteadyRun, measure_loop, measure_steadily
from benchmarks.throughput import Rate
from triggers.errors import TriggersError

T = TypeVar("T")
Say = Callable[[str], None]
_FAILURES = (RuntimeError, TriggersError, KafkaException)


def stream_processors(
    workload: OpenSessions, brokers: str, rounds: int, say: Say, leave_out: Say
) -> dict[str, list[Rate]]:
    """Measures our agent and Kafka Streams alone, at full speed."""
    found: dict[str, list[Rate]] = {}
    for number, program in product(range(1, rounds + 1), _checked(brokers, leave_out)):
        what = f"{workload.name}, {number}: {program.name}"
        if rate := _try(what, partial(measure_stream, program, workload, brokers), leave_out):
            found.setdefault(program.name, []).append(rate)
            say(f"{what} {rate.events_per_s:,.0f}/s, {rate.cpu_us_per_event:.1f} µs CPU each")
    return found


def stream_latencies(brokers: str, rounds: int, seconds: float, say: Say, leave_out: Say) -> dict[str, list[Latency]]:
    """Measures the time from fire to command of our agent and Kafka Streams."""
    found: dict[str, list[Latency]] = {}
    for number, program in product(range(1, rounds + 1), available_processors(leave_out)):
        what = f"from fire to command, {number}: {program.name}"
        if latency := _try(what, partial(measure_stream_latency, program, brokers, seconds), leave_out):
            found.setdefault(program.name, []).append(latency)
            say(f"{what} p50 {latency.p50} ms, p99 {latency.p99} ms")
    return found


def whole_loops(brokers: str, rounds: int, say: Say, leave_out: Say) -> dict[str, list[LoopRun]]:
    """Measures whole questionnaires with every system."""
    found: dict[str, list[LoopRun]] = {}
    _warm_up(brokers, leave_out)
    for number, peer in product(range(1, rounds + 1), _prepared(leave_out)):
        what = f"whole questionnaires, {number}: {peer.name}"
        if run := _try(what, partial(measure_loop, peer, brokers), leave_out):
            found.setdefault(peer.name, []).append(run)
            say(f"{what} {run.tasks_per_s:,.0f} tasks/s, ms of CPU each {run.cpu_ms}")
    return found


def steady_loads(
    brokers: str, rounds: int, seconds: float, say: Say, leave_out: Say
) -> dict[str, dict[str, list[SteadyRun]]]:
    """Measures every system at steady rates."""
    found: dict[str, dict[str, list[SteadyRun]]] = {}
    _warm_up(brokers, leave_out)
    for number, rate, peer in product(range(1, rounds + 1), RATES, _prepared(leave_out)):
        what = f"{rate} tasks/s, {number}: {peer.name}"
        if run := _try(what, partial(measure_steadily, peer, brokers, rate, seconds), leave_out):
            found.setdefault(str(rate), {}).setdefault(peer.name, []).append(run)
            say(f"{what} p50 {run.latency.p50} ms, p99 {run.latency.p99} ms, ms of CPU each {run.cpu_ms}")
    return found


def _warm_up(brokers: str, leave_out: Say) -> None:
    """Runs our own loop for nothing, so that the broker's Java is compiled."""
    _try("warm-up", partial(measure_loop, OURS, brokers), leave_out)


def _try(what: str, measure: Callable[[], T], leave_out: Say) -> T | None:
    """Measures once. If that fails, the others' figures are kept."""
    try:
        return measure()
    except _FAILURES as error:
        leave_out(f"{what}: {error}")
        return None


def _checked(brokers: str, leave_out: Say) -> list[StreamProcessor]:
    """Returns the programs whose commands are those of the rules."""
    programs = available_processors(leave_out)
    return [each for each in programs if _try(each.name, partial(check_commands, each, brokers), leave_out)]


def available_processors(leave_out: Say) -> Sequence[StreamProcessor]:
    try:
        build_program()
    except TriggersError as error:
        leave_out(f"Kafka Streams: {error}")
        return [AGENT_ALONE]
    return PROCESSORS


def _prepared(leave_out: Say) -> list[Peer]:
    prepared: list[Peer] = []
    for peer in PEERS:
        try:
            peer.prepare()
        except TriggersError as error:
            leave_out(f"{peer.name}: {error}")
        else:
            prepared.append(peer)
    return prepared
