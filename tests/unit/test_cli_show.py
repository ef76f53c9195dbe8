"""`triggers show` shows sessions of both editions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from triggers.cli import main

ALTERNATIVES = {"any": ["card", {"trigger": "invoice", "when": "kwargs.n > 1"}]}


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("COLUMNS", "240")

    def show(rules: dict[str, Any], *triggers: str) -> str:
        lines = [{"session": "s", "trigger": trigger, "time": "2026-01-01T00:00:00Z"} for trigger in triggers]
        log, file = tmp_path / "log.jsonl", tmp_path / "rules.json"
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))
        file.write_text(json.dumps(rules))
        result = CliRunner().invoke(main, ["show", "s", "--from", str(log), "--rules", str(file)])
        assert result.exit_code == 0, result.output
        return result.output

    return show


def test_conditions_and_times_of_edition_2_are_shown_as_they_are_written(shown: Callable[..., str]) -> None:
    rules = {"$edition": 2, "t_ship": {"after": ["order", ALTERNATIVES], "run": "shop.ship", "deadline": "1h"}}

    output = shown(rules, "order")

    assert '["order", {"any": ["card"' in output
    assert 'deadline: "1h"' in output
    assert "deadline due 2026-01-01 01:00:00.000" in output


def test_lists_of_triggers_and_own_keys_of_edition_1_are_shown_as_before(shown: Callable[..., str]) -> None:
    output = shown({"t_ship": {"after": ["order", "card"], "run": "shop.ship", "delay": "mine"}}, "order")

    assert "mine" not in output
    assert "t_ship#0" in output
