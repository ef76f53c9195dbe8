"""Every promise of docs/guarantees.md names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.histories import EVERY, count_expected

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["guarantees.md", "queues.md"])
def test_every_test_that_a_promise_names_exists(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / page).read_text()))

    written = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }

    assert named
    assert sorted(named - written) == []


def test_every_promise_names_a_test() -> None:
    sections = (ROOT / "docs" / "guarantees.md").read_text().split("\n## ")[1:]

    silent = [section.splitlines()[0] for section in sections if "`test_" not in section]

    assert silent == ["Not promised"]


def test_the_table_of_recorded_histories_has_the_count_of_each_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HISTORIES", raising=False)

    rows = re.findall(r"^\| ([\w-]+)[^|]*\| ([\d,]+) \|", (ROOT / "docs" / "guarantees.md").read_text(), re.MULTILINE)

    counted = {driver: f"{sum(count_expected(driver, file) for file in files):,}" for driver, files in EVERY.items()}

    assert dict(rows) == counted
