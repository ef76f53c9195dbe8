"""Measures whether the cost of an event grows with the session's length or with rules that ignore the event."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.micro.stored_session import StoredSession, stored_session, whole_step
from triggers.core.events import Event

EVENTS = 200
ROUNDS = 15

Steps = list[Callable[[], None]]


@pytest.mark.parametrize("pages", [5, 500, 5000])
def test_session_in_memory(benchmark: BenchmarkFixture, pages: int) -> None:
    _measure(benchmark, lambda: _hot(stored_session(pages)))


@pytest.mark.parametrize("pages", [5, 500, 5000])
def test_session_from_its_rows(benchmark: BenchmarkFixture, pages: int) -> None:
    _measure(benchmark, lambda: _cold(stored_session(pages)))


@pytest.mark.parametrize("rules", [0, 200])
def test_rules_that_ignore_the_event(benchmark: BenchmarkFixture, rules: int) -> None:
    _measure(benchmark, lambda: _hot(stored_session(5, rules)))


def _hot(stored: StoredSession) -> Steps:
    return [partial(whole_step, *stored.load(), event) for event in stored.next_events(EVENTS)]


def _cold(stored: StoredSession) -> Steps:
    return [partial(_load_and_step, stored, event) for event in stored.next_events(EVENTS)]


def _load_and_step(stored: StoredSession, event: Event) -> None:
    whole_step(*stored.load(), event)


def _measure(benchmark: BenchmarkFixture, steps: Callable[[], Steps]) -> None:
    """Measures rounds with an event to each of many sessions, which are loaded again for every round."""

    def run(prepared: Steps) -> None:
        for step in prepared:
            step()

    benchmark.extra_info["events"] = EVENTS
    benchmark.pedantic(run, setup=lambda: ((steps(),), {}), rounds=ROUNDS)
