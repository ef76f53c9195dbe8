"""Every difference in docs/migrating.md has a test, and every recorded difference is in docs/migrating.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "migrating.md").read_text()
RECORDED = ROOT / "tests" / "conformance" / "data" / "deliberate_differences.jsonl"


def _rows(heading: str) -> list[str]:
    """Return the rows of the table below the heading."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def test_every_difference_names_a_test_that_exists() -> None:
    written = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }

    rows = [*_rows("What differs on purpose"), *_rows("What differs on Kafka")]

    assert len(rows) > 30
    assert [row for row in rows if not re.search(r"\| `test_\w+` \|$", row)] == []
    assert sorted(set(re.findall(r"`(test_\w+)`", PAGE)) - written) == []


def test_every_recorded_difference_is_announced() -> None:
    recorded = [json.loads(line)["id"] for line in RECORDED.read_text().splitlines()]

    assert sorted(re.findall(r"dif-\d+", PAGE)) == sorted(recorded)
