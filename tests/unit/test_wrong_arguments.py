"""A command judges its arguments before it connects, so that a wrong one is named even if no broker can be reached."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from tests.support.kafka_commands import RULES

from triggers.cli import main

UNREACHABLE = "http://kafka"
"""No command connects to it. The first one that needs a broker complains about this address instead."""
LONG = "x" * 1025
EMPTY_FILTER = "the filter is empty"
WRONG: list[tuple[list[str], str]] = [
    (["replay", "--where", "--yes"], EMPTY_FILTER),
    (["skip", "--where", "--yes"], EMPTY_FILTER),
    (["cancel", "--where", "--yes"], EMPTY_FILTER),
    (["delete", "--where", "--yes"], EMPTY_FILTER),
    (["rules", "adopt", "order", "--where", "--yes"], EMPTY_FILTER),
    (["dead-letters", "redrive", "--where", "--yes"], EMPTY_FILTER),
    (["dead-letters", "discard", "--where", "--yes"], EMPTY_FILTER),
    (["replay", "--where", "--status", "running", "--yes"], "status 'running': replay needs one of"),
    (["cancel", "--where", "--failed", "--yes"], "cancel applies to instances that are neither failed nor resolved"),
    (["replay", "--where", "--task", LONG, "--yes"], "task has 1025 characters"),
    (["dead-letters", "redrive", "--where", "--topic", LONG, "--yes"], "topic has 1025 characters"),
    (["dead-letters", "list", "--reason", LONG], "reason has 1025 characters"),
    (["dead-letters", "redrive"], "name the dead letters by one of"),
    (["dead-letters", "show", "3"], "'3' must be <partition>/<offset>, such as 3/17"),
    (["replay", "s", "t_a#0", "--kwargs", '{"paid": 7}'], "the value of 'paid' must be a JSON object"),
    (["replay", "--where", "--failed", "--kwargs", '{"paid": []}'], "the value of 'paid' must be a JSON object"),
    (["skip", "s", "t_a#0", "--result", "[]"], "neither a JSON object nor a file"),
    (["replay", LONG, "t_a#0"], "session UID: it has 1025 bytes"),
    (["skip", LONG, "t_a#0"], "session UID: it has 1025 bytes"),
    (["cancel", LONG, "t_a#0"], "session UID: it has 1025 bytes"),
    (["delete", LONG, "--yes"], "session UID: it has 1025 bytes"),
    (["show", ""], "session UID: it has 0 bytes"),
    (["show", LONG, "--at", "1"], "session UID: it has 1025 bytes"),
    (["explain", LONG], "session UID: it has 1025 bytes"),
    (["export", "s", LONG], "session UID: it has 1025 bytes"),
    (["capture", LONG], "session UID: it has 1025 bytes"),
    (["graph", "--session", LONG], "session UID: it has 1025 bytes"),
    (["configure", LONG, RULES], "session UID: it has 1025 bytes"),
    (["configure", "s", '{"t_a": {"run": "app.a"}}'], "task 't_a': 'after' is missing"),
    (["fire", LONG, "paid"], "session UID: it has 1025 bytes"),
    (["fire", "s", ""], "trigger: it is empty"),
    (["rules", "publish", "", RULES], "must have 1 to 256 characters"),
    (["rules", "publish", "order", RULES, "--match", "a*b"], "is neither a UID nor a pattern with one"),
    (["rules", "adopt", LONG, "s"], "must have 1 to 256 characters"),
    (["rules", "adopt", "order", LONG], "session UID: it has 1025 bytes"),
    (["rules", "show", ""], "must have 1 to 256 characters"),
    (["rules", "history", LONG], "must have 1 to 256 characters"),
    (["rules", "diff", "order", "1", "2", "3"], "give at most two versions"),
    (["rules", "retire", LONG], "must have 1 to 256 characters"),
    (["backtest", '{"t_a": {"run": "app.a"}}'], "task 't_a': 'after' is missing"),
    (["copy", "triggers"], "FROM_NAMESPACE and --namespace are both 'triggers'"),
    (["--namespace", "c", "copy", "a/b"], "TRIGGERS_NAMESPACE is 'a/b'"),
]


def name_of(arguments: list[str]) -> str:
    return " ".join(part if len(part) < 30 else "…" for part in arguments)


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[name_of(arguments) for arguments, _ in WRONG])
def test_a_wrong_argument_is_named_before_a_broker_is_needed(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["--brokers", UNREACHABLE, *arguments])

    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert "must be host:port" not in done.stderr
