"""The tables that compare several fault campaigns."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.campaign import Outcome
from tests.chaos.compare import tables
from tests.chaos.plan import Plan
from tests.chaos.report import report_fields


def outcome(seed: int, kind: str, *, is_drained: bool = True) -> Outcome:
    result = Outcome(Plan(seed=seed, duration_s=600, folder=Path()), [])
    result.struck[kind] = 2
    result.stalls[kind] = {"state": 6.5, "tasks": 7.0}
    result.verdict.events = 50_000
    result.peak_mb = {"worker-0": 90, "worker-1": 120, "celery-0": 60}
    result.is_drained = is_drained
    return result


def test_each_campaign_is_a_column_of_both_tables() -> None:
    reports = [report_fields(outcome(1, "agent killed")), report_fields(outcome(2, "flood", is_drained=False))]

    lines = tables(reports).splitlines()

    assert "|  | seed 1 | seed 2 |" in lines
    assert "| events, results included | 50,000 | 50,000 |" in lines
    assert "| most memory of an agent; of a Celery worker, MB | 120; 60 | 120; 60 |" in lines
    assert "| seconds to drain | 0 | **not drained** |" in lines
    assert "| **lost; wrong** | **0; 0** | **0; 0** |" in lines
    assert "| agent killed | 2: 6.5 / - / 7.0 |  | 6.5 |" in lines
    assert "| flood |  | 2: 6.5 / - / 7.0 | 6.5 |" in lines
