"""Measures each step of an event separately, with a page of a five-page session."""

from __future__ import annotations

import json

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.micro.stored_session import encode, load, stored_session
from benchmarks.workload import page_events, pages
from triggers.codec import EventDecoder, encode_event
from triggers.core.decision import Decision
from triggers.core.engine import apply
from triggers.core.events import Event, TriggerFired
from triggers.core.state.session import Session

EVENTS = 1000
"""Number of events per round, by which the figures are divided."""
ROUNDS = 15

_decoder = EventDecoder(max_payload_bytes=900_000)


def test_decode_avro(benchmark: BenchmarkFixture) -> None:
    _measure_decoding(benchmark, pages())


def test_decode_plain_json(benchmark: BenchmarkFixture) -> None:
    _measure_decoding(benchmark, tuple(map(_as_json, page_events())))


def test_encode_event(benchmark: BenchmarkFixture) -> None:
    events = page_events()
    benchmark.extra_info["events"] = EVENTS
    benchmark.pedantic(lambda: [encode_event(event) for event in events], rounds=ROUNDS, warmup_rounds=1)


def test_load(benchmark: BenchmarkFixture) -> None:
    rows = stored_session(5).rows
    benchmark.extra_info["events"] = EVENTS
    benchmark.pedantic(lambda: [load(rows) for _ in range(EVENTS)], rounds=ROUNDS, warmup_rounds=1)


def test_apply(benchmark: BenchmarkFixture) -> None:
    def setup() -> tuple[tuple[list[tuple[Session, Event]]], dict[str, object]]:
        return (_pairs(),), {}

    def run(pairs: list[tuple[Session, Event]]) -> None:
        for session, event in pairs:
            apply(session, event)

    benchmark.extra_info["events"] = EVENTS
    benchmark.pedantic(run, setup=setup, rounds=ROUNDS)


def test_rows(benchmark: BenchmarkFixture) -> None:
    def setup() -> tuple[tuple[list[Session]], dict[str, object]]:
        pairs = _pairs()
        for session, event in pairs:
            apply(session, event)
        return ([session for session, _ in pairs],), {}

    benchmark.extra_info["events"] = EVENTS
    benchmark.pedantic(lambda found: [session.changes() for session in found], setup=setup, rounds=ROUNDS)


def test_encode_commands(benchmark: BenchmarkFixture) -> None:
    decisions: list[Decision] = [apply(session, event) for session, event in _pairs()]
    benchmark.extra_info["events"] = EVENTS
    benchmark.pedantic(lambda: [encode(decision) for decision in decisions], rounds=ROUNDS, warmup_rounds=1)


def _pairs() -> list[tuple[Session, Event]]:
    stored = stored_session(5)
    return [(stored.load()[0], event) for event in stored.next_events(EVENTS)]


def _measure_decoding(benchmark: BenchmarkFixture, values: tuple[bytes, ...]) -> None:
    decode = _decoder.decode
    benchmark.extra_info["events"] = EVENTS
    benchmark.pedantic(lambda: [decode(value, None, 7, 1) for value in values], rounds=ROUNDS, warmup_rounds=1)


def _as_json(event: Event) -> bytes:
    assert isinstance(event, TriggerFired)
    return json.dumps({"trigger": event.trigger, "kwargs": json.loads(event.kwargs)}).encode()
