"""Every command says within five seconds that no broker answers, and how to name the right one."""

from __future__ import annotations

import time

import pytest
from click.testing import CliRunner
from tests.support.kafka_commands import ELSEWHERE, ON_BROKER, SERVICES, WITHOUT_KAFKA

from triggers.cli import main
from triggers.cli.program import command_names

NOWHERE = "127.0.0.1:1"


@pytest.mark.parametrize("name", ON_BROKER)
@pytest.mark.parametrize("json", [False, True])
def test_a_wrong_broker_is_named_with_the_option(name: str, json: bool) -> None:
    command = [*ON_BROKER[name], *(["--json"] if json and "--json" in _help(name) else [])]
    started = time.monotonic()

    done = CliRunner().invoke(main, ["--brokers", NOWHERE, *command], input='{"session": "s", "trigger": "a"}\n')

    assert done.exit_code == 4, done.output
    assert f"no Kafka broker answers at {NOWHERE} within 4 s" in done.stderr
    assert "--brokers" in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert time.monotonic() - started < 5 + _SLOW_MACHINE_S


_SLOW_MACHINE_S = 15
"""A busy machine may not run the process for a while; the limit of the call itself is in its message."""


def _help(name: str) -> str:
    words = [word for word in ON_BROKER[name][:2] if word.isalpha() or word == "dead-letters"]
    group = words[0] in {"topics", "dead-letters", "rules"}
    return CliRunner().invoke(main, [*words[: 2 if group else 1], "--help"]).output


def test_no_command_is_left_out() -> None:
    tried = {arguments[0] for arguments in ON_BROKER.values()}

    assert tried | SERVICES | WITHOUT_KAFKA | ELSEWHERE == set(command_names())
