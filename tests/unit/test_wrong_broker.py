"""Every command says within five seconds that no broker answers, and how to name the right one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner
from tests.support.kafka_commands import ELSEWHERE, ON_BROKER, SERVICES, WITHOUT_KAFKA
from tests.support.program import Run

from triggers.cli import main
from triggers.cli.program import command_names
from triggers.kafka.reachability import check_addresses

NOWHERE = "127.0.0.1:1"


@dataclass(frozen=True)
class Ended:
    """What a command has come to, and after which time at the latest."""

    done: CompletedProcess[str]
    seconds: float


@pytest.fixture(scope="module")
def ended() -> dict[tuple[str, bool], Ended]:
    """What each command has come to, without and with JSON. They all run and wait at the same time."""
    tried = {(name, json): _arguments(name, json=json) for name in ON_BROKER for json in (False, True)}
    event, began = '{"session": "s", "trigger": "a"}\n', time.monotonic()
    runs = {key: Run(None, *arguments, standard_input=event) for key, arguments in tried.items()}
    return {key: Ended(run.wait(), time.monotonic() - began) for key, run in runs.items()}


def _arguments(name: str, *, json: bool) -> list[str]:
    own = ["--json"] if json and "--json" in _help(name) else []
    return ["--brokers", NOWHERE, *ON_BROKER[name], *own]


@pytest.mark.parametrize("name", ON_BROKER)
@pytest.mark.parametrize("json", [False, True])
def test_a_wrong_broker_is_named_with_the_option(ended: dict[tuple[str, bool], Ended], name: str, json: bool) -> None:
    command = ended[name, json]

    assert command.done.returncode == 4, command
    assert f"no Kafka broker answers at {NOWHERE} within 4 s" in command.done.stderr
    assert "--brokers" in command.done.stderr
    assert (command.done.stdout, command.done.stderr.count("\n")) == ("", 1)
    assert command.seconds < 5 + _SLOW_MACHINE_S


@pytest.mark.parametrize(
    "address",
    ["", " ", ",", "a:9092,", "http://a:9092", "a:99999", "a:0", "a:port", "a:", ":9092", "a b", "a:1:2", "a:9092/b"],
)
def test_an_invalid_address_is_refused_immediately(address: str) -> None:
    done = CliRunner().invoke(main, ["--brokers", address, "list"])

    assert done.exit_code == 2, done.output
    assert "must be host:port, such as kafka-1:9092" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["worker", "dispatcher", "hooks", "console", "dev"])
def test_a_service_does_not_wait_for_an_invalid_address(name: str) -> None:
    wrong = "http://kafka:9092"
    chosen = {"dev": ["dev", "--broker", wrong], "worker": ["worker"], "console": ["console", "--port", "0"]}
    arguments = chosen.get(name, [name, "-A", "tests.support.celery_tasks"])

    done = Run(None, *arguments, TRIGGERS_BROKERS=wrong).wait()

    assert done.returncode == 2, done
    assert "'http://kafka:9092' must be host:port" in done.stderr


@pytest.mark.parametrize("address", ["a", "a:1", "a-1.b_c:65535, d:9092", "[::1]:9092", "SASL_SSL://a:9092"])
def test_what_librdkafka_takes_is_an_address(address: str) -> None:
    check_addresses(address)


@pytest.mark.parametrize("namespace", ["", " ", "a b", "a/b", "ü", "a" * 151, "a\nb"])
@pytest.mark.parametrize("command", [["list"], ["fire", "s", "t"], ["topics", "create"]])
def test_a_namespace_that_no_topic_can_have_is_refused_at_once(namespace: str, command: list[str]) -> None:
    done = CliRunner().invoke(main, ["--brokers", NOWHERE, "--namespace", namespace, *command])

    assert done.exit_code == 2, done.output
    assert "TRIGGERS_NAMESPACE is" in done.stderr


_SLOW_MACHINE_S = 45
"""A busy machine may not run a process for a while, least of all so many; the limit of each call is in its message."""


def _help(name: str) -> str:
    words = [word for word in ON_BROKER[name][:2] if word[0].isalpha() and word.replace("-", "").isalpha()]
    group = words[0] in {"topics", "dead-letters", "rules", "jobs"}
    return CliRunner().invoke(main, [*words[: 2 if group else 1], "--help"]).output


def test_no_command_is_left_out() -> None:
    tried = {arguments[0] for arguments in ON_BROKER.values()}

    assert tried | SERVICES | WITHOUT_KAFKA | ELSEWHERE == set(command_names())
