"""Runs all sections of the benchmark on one broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import inf
from pathlib import Path

import msgspec
from confluent_kafka import KafkaException

from benchmarks import celery_rates, old_framework
from benchmarks.contenders import (
    AGENT,
    FAUST,
    FEW,
    LONG,
    LONGER,
    MANY,
    PASSTHROUGH,
    SHORT,
    TRANSACTIONAL,
    TWO_AGENTS,
    quix,
)
from benchmarks.latency import PARTITIONS, Latency, latency_name, measure_latency
from benchmarks.machine import describe_machine, describe_moment
from benchmarks.micro_level import Steps, measure_steps
from benchmarks.old_framework import OldFramework
from benchmarks.peers import sections as peers
from benchmarks.peers.streams import FEW_OPEN, MANY_OPEN
from benchmarks.peers.turns import Turns
from benchmarks.peers.whole_loops import LoopRun, SteadyRun
from benchmarks.plan import Plan
from benchmarks.publishing import Publication, measure_publishing
from benchmarks.rule_costs import MemoryCost, RuleCost, measure_memory, measure_rules
from benchmarks.soak import Soak, soak
from benchmarks.takeover import measure_stall
from benchmarks.throughput import Program, Rate, measure
from benchmarks.worker_costs import Recovery, cold_start, recovery
from benchmarks.workload import Workload
from triggers.errors import SettingsError

Runs = dict[str, list[Rate]]
"""Program -> runs, in the order of the rounds."""
Say = Callable[[str], None]

PUBLISHING = "100,000 live sessions whose rules are published again"
"""Name of the runs of the section `publishing`."""
_BROKER_WARMS_UP_S = 120.0
"""Seconds until Java has compiled the code of transactions. The median falls from 47 ms to 17 ms in that time."""
_AT_FULL_SPEED = {"throughput", "sessions"}
_RUNS_FOR_NOTHING = 3
"""Runs to warm up the broker for full speed. A cold broker needs 17 µs per event, a warm one 7."""


class Figures(msgspec.Struct, kw_only=True):
    """The figures of all sections. An empty section was not measured."""

    machine: dict[str, str] = msgspec.field(default_factory=describe_machine)
    measured: dict[str, str] = {}
    """Section -> date, commit and load average of its measurement."""
    left_out: list[str] = []
    """What could not be measured, and why."""
    throughput: dict[str, Runs] = {}
    latency: dict[str, list[Latency]] = {}
    celery: dict[str, Runs] = {}
    steps: dict[str, Steps] = {}
    cold_start_s: list[float] = []
    recovery: list[Recovery] = []
    stall_s: list[float] = []
    soak: list[Soak] = []
    publications: list[Publication] = []
    rules: dict[str, RuleCost] = {}
    remembering: list[MemoryCost] = []
    stream_latency: dict[str, list[Latency]] = {}
    """Program -> runs from fire to command at 500 events/s."""
    loops: dict[str, list[LoopRun]] = {}
    """System -> runs of whole questionnaires."""
    steady: dict[str, dict[str, list[SteadyRun]]] = {}
    """Tasks per second -> system -> runs."""


@dataclass(slots=True)
class Suite:
    """The sections of the benchmark, each of which can run alone."""

    plan: Plan
    brokers: str
    old_checkout: Path | None
    say: Say
    ends_at: float = inf
    """Time of `time.monotonic()` after which no other system is measured."""
    figures: Figures = field(default_factory=Figures)

    def run(self, sections: Sequence[str]) -> Figures:
        """Runs the sections in this order. If a program fails, it prints so and skips the rest of the section."""
        if _AT_FULL_SPEED & set(sections):
            self._warm_up()
        for section in sections:
            self.figures.measured[section] = describe_moment()
            try:
                SECTIONS[section](self)
            except (RuntimeError, KafkaException) as error:
                self._skip_section(f"the rest of {section}: {error}")
        return self.figures

    def steps(self) -> None:
        """Measures the steps of an event without Kafka."""
        self.figures.steps = measure_steps()
        for name, step in self.figures.steps.items():
            self.say(f"{name}: {step.median} µs")

    def rules(self) -> None:
        """Counts the instructions of an event for each kind of rule."""
        self.figures.rules = measure_rules(self.say)
        self.figures.remembering = [measure_memory()]

    def throughput(self) -> None:
        """Measures pages at full speed."""
        others = [PASSTHROUGH, TRANSACTIONAL, FAUST, *self._quix()]
        self._side_by_side(FEW, [*others, AGENT])
        self._side_by_side(MANY, [PASSTHROUGH, TRANSACTIONAL, AGENT])
        self._side_by_side(LONGER, [AGENT, TWO_AGENTS])

    def sessions(self) -> None:
        """Measures whole sessions, with the old framework."""
        old = self._old_framework()
        for workload, count in ((SHORT, self.plan.old_short_sessions), (LONG, self.plan.old_long_sessions)):
            runs = self.figures.throughput.setdefault(workload.name, {})
            for number in range(1, self.plan.rounds + 1):
                if old:
                    measured = partial(old.measure, workload.pages, count)
                    self._try(runs, f"{workload.name}, {number}", old_framework.NAME, measured)
                self._try(
                    runs, f"{workload.name}, {number}", AGENT.name, partial(measure, AGENT, workload, self.brokers)
                )

    def publishing(self) -> None:
        """Measures pages of live sessions before and after their rules are published again."""
        run = measure_publishing(self.brokers, MANY, self.plan.rounds)
        self.figures.publications = run.publications
        self.figures.throughput[PUBLISHING] = run.rates
        for phase, rates in run.rates.items():
            self.say(f"{phase}: {', '.join(f'{rate.events_per_s:,.0f}' for rate in rates)} events/s")

    def latency(self) -> None:
        """Measures latency at 500 events/s, after a warm-up: a broker's first transactions take three times as long."""
        measure_latency(self.brokers, _BROKER_WARMS_UP_S, PARTITIONS[0], celery=False)
        for celery, partitions in product((False, True), PARTITIONS):
            for _ in range(self.plan.latency_rounds):
                latencies = measure_latency(self.brokers, self.plan.latency_s, partitions, celery=celery)
                for what, latency in latencies.items():
                    name = latency_name(what, partitions, celery=celery)
                    self.figures.latency.setdefault(name, []).append(latency)
                    self.say(f"{name}: p50 {latency.p50} ms, p99 {latency.p99} ms")

    def celery(self) -> None:
        """Measures Celery with tasks from Kafka and from Redis."""
        for pool, options in celery_rates.POOLS.items():
            runs = self.figures.celery.setdefault(pool, {})
            for number in range(1, self.plan.celery_rounds + 1):
                programs = celery_rates.compared_programs(self.brokers, options, self.plan.celery_tasks)
                for name, measured in programs.items():
                    self._try(runs, f"{pool}, {number}", name, measured)

    def worker(self) -> None:
        """Measures a worker's start, recovery and memory."""
        for _ in range(self.plan.rounds):
            self.figures.cold_start_s.append(round(cold_start(self.brokers), 2))
        self.say(f"cold start: {self.figures.cold_start_s} s")
        run = recovery(self.brokers, self.plan.recovered_sessions, self.plan.recovered_partitions)
        self.figures.recovery.append(run)
        self.say(f"recovery: {run.rows_per_s:,.0f} rows/s, then {run.resident_mb:,.0f} MB")

    def takeover(self) -> None:
        """Measures how long sessions stand still when their agent is killed."""
        for _ in range(self.plan.takeovers):
            self.figures.stall_s.append(round(measure_stall(self.brokers), 2))
        self.say(f"stall of a killed agent: {self.figures.stall_s} s")

    def soak(self) -> None:
        """Measures memory under steady work."""
        run = soak(self.brokers, self.plan.soak_s)
        self.figures.soak.append(run)
        self.say(f"soak: {run.seconds:,.0f} s, {run.resident_mb[-1]:,.0f} MB, growth {run.growth:.3f}")

    def streams(self) -> None:
        """Measures our agent and Kafka Streams alone with 1,000 sessions in flight."""
        self.figures.throughput[FEW_OPEN.name] = peers.stream_processors(self._turns(), FEW_OPEN)

    def streams_100k(self) -> None:
        """Measures our agent and Kafka Streams alone with 100,000 sessions in flight."""
        self.figures.throughput[MANY_OPEN.name] = peers.stream_processors(self._turns(), MANY_OPEN)

    def stream_latency(self) -> None:
        """Measures our agent and Kafka Streams at 500 events/s."""
        self.figures.stream_latency = peers.stream_latencies(self._turns())

    def loops(self) -> None:
        """Measures whole questionnaires with other systems."""
        self.figures.loops = peers.whole_loops(self._turns())

    def steady_50(self) -> None:
        """Measures other systems at 50 tasks/s."""
        self.figures.steady["50"] = peers.steady_loads(self._turns(), 50)

    def steady_500(self) -> None:
        """Measures other systems at 500 tasks/s."""
        self.figures.steady["500"] = peers.steady_loads(self._turns(), 500)

    def _turns(self) -> Turns:
        return Turns(
            brokers=self.brokers,
            rounds=self.plan.peer_rounds,
            latency_s=self.plan.latency_s,
            say=self.say,
            leave_out=self._skip_section,
            ends_at=self.ends_at,
        )

    def _warm_up(self) -> None:
        for _ in range(_RUNS_FOR_NOTHING):
            measure(AGENT, LONGER, self.brokers)

    def _side_by_side(self, workload: Workload, programs: Sequence[Program]) -> None:
        """Runs the programs alternately, so that other work on the machine affects all of them."""
        runs = self.figures.throughput.setdefault(workload.name, {})
        for number in range(1, self.plan.rounds + 1):
            for program in programs:
                measured = partial(measure, program, workload, self.brokers)
                self._try(runs, f"{workload.name}, {number}", program.name, measured)

    def _try(self, runs: Runs, of: str, name: str, measured: Callable[[], Rate]) -> None:
        """Runs a program once. If it fails, the others' figures are kept."""
        try:
            rate = measured()
        except (RuntimeError, KafkaException) as error:
            self._skip_section(f"{name} on {of}: {error}")
            return
        runs.setdefault(name, []).append(rate)
        self.say(f"{of}: {name} {rate.events_per_s:,.0f}/s, {rate.cpu_us_per_event:,.1f} µs CPU each")

    def _quix(self) -> list[Program]:
        try:
            return [quix()]
        except SettingsError as error:
            self._skip_section(f"Quix Streams: {error}")
            return []

    def _old_framework(self) -> OldFramework | None:
        if self.old_checkout is None:
            self._skip_section("the old framework: set OLD_FRAMEWORK to a checkout of eflglobal/triggers")
            return None
        return OldFramework.at(self.old_checkout)

    def _skip_section(self, why: str) -> None:
        self.figures.left_out.append(why)
        self.say(f"left out: {why}")


SECTIONS: dict[str, Callable[[Suite], None]] = {
    "steps": Suite.steps,
    "rules": Suite.rules,
    "throughput": Suite.throughput,
    "sessions": Suite.sessions,
    "publishing": Suite.publishing,
    "celery": Suite.celery,
    "latency": Suite.latency,
    "worker": Suite.worker,
    "takeover": Suite.takeover,
    "soak": Suite.soak,
    "streams": Suite.streams,
    "streams_100k": Suite.streams_100k,
    "stream_latency": Suite.stream_latency,
    "loops": Suite.loops,
    "steady_50": Suite.steady_50,
    "steady_500": Suite.steady_500,
}
"""Section -> method that measures it."""
