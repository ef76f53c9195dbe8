"""What the framework itself did, recorded, against the core."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.analysis.histories import HistoryResult, verify_files

DATA = Path(__file__).parent / "data"


def _failed(results: list[HistoryResult]) -> list[str]:
    return [line for result in results if result.gates for line in result.differences]


@pytest.mark.parametrize(("file", "histories"), [("curated.jsonl", 231), ("random_public.jsonl.gz", 2000)])
def test_every_recorded_history_is_reproduced(file: str, histories: int) -> None:
    results = list(verify_files([DATA / file]))

    assert len(results) == histories
    assert all(result.gates for result in results)
    assert _failed(results) == []


def test_every_firm_deliberate_difference_is_as_decided() -> None:
    results = list(verify_files([DATA / "deliberate_differences.jsonl"]))

    assert sum(result.gates for result in results) == 25
    assert _failed(results) == []
