"""Rates, ratios and tables are calculated correctly from samples."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from benchmarks.delivery import Delivered
from benchmarks.processes import Cost, run_python
from benchmarks.report import rates, spread
from benchmarks.summary import cpu_ratio, speed_ratio
from benchmarks.throughput import Rate, rate_of


def test_a_rate_excludes_the_warm_up() -> None:
    slow_start = [float(n) for n in range(10)]
    then_a_hundred_a_second = [10 + n / 100 for n in range(91)]
    cost = _cost([0.0, 10.0, 10.9], [0.0, 5.0, 5.9])

    rate = rate_of(Delivered(slow_start + then_a_hundred_a_second, others=7), [cost])

    assert rate.events == 91
    assert rate.events_per_s == pytest.approx(91 / 0.9)
    assert rate.cpu_us_per_event == pytest.approx(0.9 / 91 * 1e6)
    assert rate.broker_cpu_us_per_event is None
    assert rate.records_out == 108


def test_cpu_is_interpolated_between_samples() -> None:
    cost = _cost([10.0, 20.0, 30.0], [0.0, 4.0, 5.0])

    assert cost.cpu_between(15, 25) == pytest.approx(2.5)
    assert cost.cpu_between(0, 100) == pytest.approx(5)


def test_ratios_compare_within_a_round_and_take_the_median() -> None:
    runs = {
        "ours": [_rate(100, 10), _rate(10, 10), _rate(90, 20)],
        "theirs": [_rate(100, 5), _rate(20, 5), _rate(100, 5)],
    }

    assert speed_ratio(runs, "ours", "theirs") == 0.9
    assert cpu_ratio(runs, "ours", "theirs") == 0.5


def test_a_program_that_ends_says_why(tmp_path: Path) -> None:
    with run_python("broken", ["-c", "raise SystemExit('no broker')"], tmp_path) as program:
        program.child.wait()
        with pytest.raises(RuntimeError, match="broken ended with 1:\nno broker"):
            program.check()


def test_the_table_shows_minimum_median_and_maximum() -> None:
    assert spread([3, 1, 2]) == "1 / 2 / 3"
    assert "| slow | 10 / 10 / 10 | 5.0 / 5.0 / 5.0 |  | 0.1 | 0.2 | 50 |" in rates(
        {"fast": [_rate(100, 1)], "slow": [_rate(10, 5)]}
    )


def _cost(times: list[float], cpu_s: list[float]) -> Cost:
    return Cost(psutil.Process(os.getpid()), times, cpu_s, [50 * 2**20])


def _rate(events_per_s: float, cpu_us: float) -> Rate:
    return Rate(
        events_per_s=events_per_s,
        cpu_us_per_event=cpu_us,
        broker_cpu_us_per_event=None,
        resident_mb=50,
        events=1,
        records_out=1,
    )
