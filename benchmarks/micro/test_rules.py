"""Measures an event of rules of edition 2, beside that of a plain rule, and whether it grows with the session."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.micro.rule_cases import CASES, LONG_PAGES, PAGES, measured_events, run_events, stored_case

EVENTS = 200
ROUNDS = 15


@pytest.mark.parametrize("case", CASES)
def test_rule(benchmark: BenchmarkFixture, case: str) -> None:
    _measure(benchmark, case, PAGES)


@pytest.mark.parametrize("case", [name for name, case in CASES.items() if case.pages is None])
def test_rule_of_a_long_session(benchmark: BenchmarkFixture, case: str) -> None:
    _measure(benchmark, case, LONG_PAGES)


def _measure(benchmark: BenchmarkFixture, case: str, pages: int) -> None:
    """Measures the events of many sessions, which are loaded again for every round."""
    stored = stored_case(case, pages)
    events = measured_events(case, stored)
    sessions = EVENTS // len(events)

    def load() -> tuple[tuple[list[Callable[[], None]]], dict[str, object]]:
        return ([partial(run_events, *stored.load(), events) for _ in range(sessions)],), {}

    def run(steps: list[Callable[[], None]]) -> None:
        for step in steps:
            step()

    benchmark.extra_info["events"] = sessions * len(events)
    benchmark.pedantic(run, setup=load, rounds=ROUNDS)
