"""Lists that pages spell out are those of the code: statuses, outcomes, rows, timers, states, reasons, log messages."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache

import pytest
from tests.docs.code_names import PACKAGE, ROOT
from tests.property.test_replayed_logs import random_log
from tests.support.indexed_rows import IndexedRows

from triggers.agent.turns.dead_letters import Refusal
from triggers.api.identity import Scope
from triggers.codec import Reason
from triggers.core import statuses
from triggers.core.commands import Outcome
from triggers.core.edition_2_plan import OUTCOMES
from triggers.core.state import rows
from triggers.core.timer_kinds import TIMER_ORDER
from triggers.jobs.records import ItemState

DOCS = ROOT / "docs"
LOG_LEVELS = {"exception": "error"} | {name: name for name in ("debug", "info", "warning", "error", "critical")}


def page(name: str) -> str:
    return (DOCS / name).read_text()


def meaning(word: str) -> str:
    """Returns what the glossary says about the word."""
    found = re.search(rf"^\| \*\*{word}\*\* \| (.+) \|$", page("glossary.md"), re.MULTILINE)
    assert found is not None, word
    return found[1]


def rows_below(text: str, heading: str) -> list[str]:
    """Returns the first cells of the table with this heading line, without backquotes."""
    table = text.split(f"\n{heading}\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [line.split("|")[1].strip().strip("`") for line in table]


def test_the_glossary_has_every_outcome_of_an_event() -> None:
    listed = meaning("outcome").partition(": ")[2].rstrip(".").split(", ")

    assert listed == [outcome.value for outcome in Outcome]


def test_the_glossary_has_every_status_of_an_instance_and_says_which_are_resolved() -> None:
    listed, _, resolved = meaning("status").partition(" Finished, ")
    further = [statuses.DELAYED, statuses.EXPIRED, statuses.CANCELLED]

    own, _, _ = listed.partition(": ")[2].partition(", one of edition 2")
    assert own.split(", ") == [status.value for status in statuses.Status]
    assert set(re.findall(r"\w+", "finished, " + resolved.partition(" instances")[0])) - {"and"} == statuses.RESOLVED
    assert meaning(", ".join(further)).startswith("Statuses of edition 2.")


def test_the_reference_has_every_status_that_fires_a_trigger() -> None:
    (line,) = [each for each in page("rules-reference.md").splitlines() if "fires `<task>:<status>`, if" in each]

    assert set(re.findall(r"`(\w+)`", line.partition(" fires ")[0])) == set(OUTCOMES)


def test_the_page_about_analyses_has_the_order_of_timers_that_are_due_together() -> None:
    assert f"fire in the order {', '.join(TIMER_ORDER)}, then by instance" in page("analysis.md")


def test_the_page_about_the_http_api_has_every_scope() -> None:
    assert rows_below(page("http-api.md"), "| scope | allows |") == [scope.value for scope in Scope]


def test_the_page_about_repairs_has_every_state_of_an_item_of_a_job() -> None:
    listed = rows_below(page("operations/finding-and-repairing.md"), "| state of an item | meaning |")

    assert sorted(listed) == sorted(state.value for state in ItemState)


def test_the_page_about_repairs_has_every_reason_of_an_agent_s_dead_letter() -> None:
    listed = rows_below(page("operations/finding-and-repairing.md"), "| reason | the record |")

    assert listed == [reason.value for reason in (*Reason, *Refusal)]


def test_the_page_about_the_architecture_has_every_kind_of_row() -> None:
    cells = rows_below(page("architecture.md"), "| key | row |")
    listed = {kind for cell in cells for kind in re.findall(r"\w", cell)}
    documented = re.findall(r"^    (?:r<len uid><uid>)?(\w(?:, \w)*)\b", rows.__doc__ or "", re.MULTILINE)

    assert listed == set(", ".join(documented).split(", "))
    assert _kinds_of_folded_sessions() <= listed


def _kinds_of_folded_sessions() -> set[str]:
    folded = IndexedRows()
    for seed in range(4):
        folded.apply(f"{seed}", *random_log(seed))
    kinds = {key[3 + key[2] :][:1] if key.startswith(b"r") else key[:1] for key in folded.rows}
    assert len(kinds) > 5
    return {kind.decode() for kind in kinds}


@pytest.mark.parametrize("row", re.findall(r"^\| `.+` \| .+ \|$", page("operations/log-messages.md"), re.MULTILINE))
def test_a_log_message_of_the_page_is_logged_at_its_level(row: str) -> None:
    messages, levels = row.strip("| ").split(" | ")[:2]
    logged = _logged()

    for message in re.findall(r"`([^`]+)`", messages):
        shape = re.escape(message).replace("…", ".+")
        found = {level for text, each in logged.items() if re.match(shape, text.replace("`", "")) for level in each}
        assert found, message
        assert found & set(levels.split(", ")) or found == {"passed on"}, (message, found)


@cache
def _logged() -> dict[str, set[str]]:
    """Returns the texts of the package that are logged or given to something that logs them, with their levels."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                for argument in node.args[:2]:
                    found[_text(argument)].add(_level(node.func))
    return found


def _level(function: ast.expr) -> str:
    name = function.attr if isinstance(function, ast.Attribute) else ""
    return LOG_LEVELS.get(name, "passed on")


def _text(node: ast.expr) -> str:
    """Returns a literal with … for what is filled in, or nothing if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%(\(\w+\))?[.\d]*[sdrfg]", "…", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""
