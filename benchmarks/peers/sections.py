"""The sections of the benchmark that need other systems. One that is missing is left out, with what to install."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks.latency import Latency
from benchmarks.peers.installations import OURS, PEERS
from benchmarks.peers.kafka_streams import build_program
from benchmarks.peers.site import Peer
from benchmarks.peers.stream_check import check_commands
from benchmarks.peers.stream_processors import AGENT_ALONE, PROCESSORS, StreamProcessor
from benchmarks.peers.streams import OpenSessions, measure_stream, measure_stream_latency
from benchmarks.peers.turns import Say, Turns
from benchmarks.peers.whole_loops import LoopRun, SteadyRun, measure_loop, measure_steadily
from benchmarks.throughput import Rate
from triggers.errors import TriggersError


def stream_processors(turns: Turns, workload: OpenSessions) -> dict[str, list[Rate]]:
    """Measures our agent and Kafka Streams alone, at full speed."""
    found: dict[str, list[Rate]] = {}
    available = available_processors(turns.leave_out)
    checked = [each for each in available if turns.measure(each.name, partial(check_commands, each, turns.brokers))]
    for number, program in turns.of(checked):
        what = f"{workload.name}, {number}: {program.name}"
        if rate := turns.measure(what, partial(measure_stream, program, workload, turns.brokers)):
            found.setdefault(program.name, []).append(rate)
            turns.say(f"{what} {rate.events_per_s:,.0f}/s, {rate.cpu_us_per_event:.1f} µs CPU each")
    return found


def stream_latencies(turns: Turns) -> dict[str, list[Latency]]:
    """Measures the time from fire to command of our agent and Kafka Streams."""
    found: dict[str, list[Latency]] = {}
    for number, program in turns.of(available_processors(turns.leave_out)):
        what = f"from fire to command, {number}: {program.name}"
        if latency := turns.measure(what, partial(measure_stream_latency, program, turns.brokers, turns.latency_s)):
            found.setdefault(program.name, []).append(latency)
            turns.say(f"{what} p50 {latency.p50} ms, p99 {latency.p99} ms")
    return found


def whole_loops(turns: Turns) -> dict[str, list[LoopRun]]:
    """Measures whole questionnaires with every system."""
    found: dict[str, list[LoopRun]] = {}
    _warm_up(turns)
    for number, peer in turns.of(_prepared(turns.leave_out)):
        what = f"whole questionnaires, {number}: {peer.name}"
        if run := turns.measure(what, partial(measure_loop, peer, turns.brokers)):
            found.setdefault(peer.name, []).append(run)
            turns.say(f"{what} {run.tasks_per_s:,.0f} tasks/s, ms of CPU each {run.cpu_ms}")
    return found


def steady_loads(turns: Turns, rate: int) -> dict[str, list[SteadyRun]]:
    """Measures every system at a steady rate."""
    found: dict[str, list[SteadyRun]] = {}
    _warm_up(turns)
    for number, peer in turns.of(_prepared(turns.leave_out)):
        what = f"{rate} tasks/s, {number}: {peer.name}"
        if run := turns.measure(what, partial(measure_steadily, peer, turns.brokers, rate, turns.latency_s)):
            found.setdefault(peer.name, []).append(run)
            latency = run.latency
            turns.say(f"{what} p50 {latency.p50} ms, p99 {latency.p99} ms, ms of CPU each {run.cpu_ms}")
    return found


def _warm_up(turns: Turns) -> None:
    """Runs our own loop without measuring it, so that the broker's Java is compiled."""
    turns.measure("warm-up", partial(measure_loop, OURS, turns.brokers))


def available_processors(leave_out: Say) -> Sequence[StreamProcessor]:
    """Returns the programs that this machine can run. Builds Kafka Streams' if that is necessary."""
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
