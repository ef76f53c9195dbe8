"""Every row of docs/celery.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "celery.md").read_text()


def test_every_row_names_tests_that_exist() -> None:
    written = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    section = PAGE.split("## What works with what")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]

    assert len(rows) >= 25
    assert [row for row in rows if "`test_" not in row] == []
    assert sorted(set(re.findall(r"`(test_\w+)`", PAGE)) - written) == []


def test_the_page_names_the_versions_that_make_tests() -> None:
    versions = re.findall(r"^CELERY_VERSIONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()

    assert f"Celery {versions[0]} to {versions[-1]}." in PAGE
