"""Each attack in the tables of the pages names files of tests that exist."""

from __future__ import annotations

import re

import pytest
from tests.docs.code_names import ROOT

FILES = {file.stem for file in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize(("page", "heading"), [("http-api.md", "attack"), ("console.md", "attempt")])
def test_every_attack_names_its_tests(page: str, heading: str) -> None:
    table = re.search(
        rf"^\| {heading} \| result \| test \|\n.*?\n((?:\|.*\n)+)", (ROOT / "docs" / page).read_text(), re.M
    )

    assert table is not None
    named = [re.findall(r"`(test_\w+)`", row.rsplit("|", 2)[1]) for row in table[1].splitlines()]
    assert len(named) > 10
    assert all(named), "each row has a test"
    assert {name for names in named for name in names} <= FILES
