"""The examples on docs/rules-reference.md run, and every directive has one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from triggers.analysis.check.findings import Severity
from triggers.analysis.check.rules import Arrivals, check_rules
from triggers.core.conditions.grammar import COMBINATORS, LEAF_KEYS
from triggers.core.edition_2_directives import DIRECTIVES
from triggers.core.edition_2_plan import BLOCKS
from triggers.storages.memory import MemoryStorage
from triggers.testing import NEVER_ENDS, LocalSession, in_turn, takes

PAGE = Path(__file__).parents[2] / "docs" / "rules-reference.md"


def blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_examples_on_the_page_run(tmp_path: Path) -> None:
    code = blocks(PAGE.read_text())
    (tmp_path / "test_page.py").write_text("\n\n".join(code))

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"{len(code) - 1} passed" in ran.stdout, ran.stdout


def test_every_section_has_one_example_and_every_key_has_a_section() -> None:
    _, *sections = re.split(r"^### ", PAGE.read_text(), flags=re.MULTILINE)
    headings = " ".join(section.partition("\n")[0] for section in sections)

    assert [section for section in sections if section.count("\ndef test_") != 1] == []
    keys = {*DIRECTIVES, *LEAF_KEYS, *COMBINATORS, *BLOCKS} - {"trigger", "$manager"}
    assert [key for key in sorted(keys) if f"`{key}`" not in headings] == []


def test_check_finds_no_mistake_in_the_recipes() -> None:
    """That the last cart comes before or after the checkout makes a difference, and is meant to."""
    recipes = blocks(PAGE.read_text().partition("\n## Recipes")[2])

    findings = [
        (one.rule, one.task)
        for recipe in recipes
        for rules in _rules_in(recipe)
        for one in check_rules(json.dumps(rules).encode(), arrivals=Arrivals()).findings
        if one.severity is not Severity.NOTE
    ]

    assert len(recipes) == 9
    assert findings == [("order-sensitive", "t_lure")]


def _rules_in(code: str) -> list[dict[str, Any]]:
    """Returns the rules with which the tests in the code begin sessions, each once."""
    begun: list[dict[str, Any]] = []

    class Recorded(LocalSession):
        def __init__(self, rules: dict[str, Any], tasks: dict[str, Any] | None = None, uid: str = "local") -> None:
            if rules not in begun:
                begun.append(rules)
            super().__init__(rules, tasks, uid=uid)

    names: dict[str, Any] = {"LocalSession": Recorded, "NEVER_ENDS": NEVER_ENDS, "in_turn": in_turn, "takes": takes}
    exec(code, names)  # noqa: S102  # it is our own page
    for name in [name for name in names if name.startswith("test_")]:
        names[name]()
    return begun


def test_the_forwards_of_the_examples_come_to_the_sessions_that_they_name() -> None:
    names = _names_on_the_page("FORWARD = ") | _names_on_the_page("ORDER = ")

    assert _forwarded(names["FORWARD"], "packed", {}, {"t_ship": {"customer": "ann"}}) == [
        ("customer-ann", "shipped", b'{"order":"order-17"}')
    ]
    assert _forwarded(names["ORDER"], "orderPlaced", {"customer": "ann", "total": 10}, {}) == [
        ("customer-ann", "orderPlaced", b'{"total":10}')
    ]


def _names_on_the_page(start: str) -> dict[str, Any]:
    [code] = [block for block in blocks(PAGE.read_text()) if block.startswith(start)]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  # the code on the page is under test
    return names


def _forwarded(
    rules: dict[str, Any], trigger: str, kwargs: dict[str, Any], tasks: dict[str, Any]
) -> list[tuple[str, str, bytes]]:
    """Returns what the events of a session of these rules fire in other sessions."""
    session = LocalSession(rules, tasks, uid="order-17")
    session.fire(trigger, kwargs)
    again = MemoryStorage("order-17")
    decisions = [again.write(event) for event in session.storage.events]
    return [(each.session, each.trigger, each.kwargs) for decision in decisions for each in decision.forwards]
