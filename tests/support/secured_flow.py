"""Uses an installation on a secured broker in all ways that need permissions, besides the demo."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import httpx
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from tests.support.api_server import api_server
from tests.support.celery_process import CeleryProcess
from tests.support.program import environment
from tests.support.secured_kafka import SecuredKafka, SettingsFor
from tests.support.topic_reader import wait_until

from triggers.cli import main
from triggers.client import KafkaPublisher, SessionReader
from triggers.core.events import ConfigurationUpdated, TriggerFired
from triggers.dev.ports import free_ports
from triggers.dev.stack import Stack, console_service
from triggers.settings import Settings
from triggers.topology import Topology, partition_of

NAMESPACE = "secured"
NAMES = Topology(NAMESPACE)
QUEUE = "gpu"
RULES = {
    "$edition": 2,
    "$manager": "noting",
    "t_gpu": {"after": ["go"], "run": "app.gpu", "queue": QUEUE},
    "t_lost": {"after": ["go"], "run": "app.lost", "queue": "nowhere"},
}


def do_the_rest(kafka: SecuredKafka, settings_for: SettingsFor, stack: Stack) -> None:
    """Causes forwards, dead letters and commands of queues, runs hooks and the console, and uses the command line."""
    _send_bad_records(kafka)
    publisher = KafkaPublisher(settings_for("client"))
    publisher.publish("queued", ConfigurationUpdated(configuration=json.dumps(RULES).encode()))
    for trigger in ("go", "echo", "bad"):
        publisher.publish("queued", TriggerFired(trigger=trigger))
    (port,) = free_ports(1)
    stack.start(console_service(settings_for("console"), port, "--read-only"))
    hooks = CeleryProcess(settings_for("hooks"), "hooks", "tests.support.hook_program", TRIGGERS_HOOK_ATTEMPTS="2")
    hooks.notes_file.touch()
    with hooks:
        wait_until(lambda: "queued noting fire back" in hooks.notes(), f"hooks have run; see {hooks.log}", 120)
        wait_until(lambda: len(_letters(settings_for("operator"))) >= 3, "there are three dead letters", 120)
    wait_until(lambda: "sessions" in _fetch(f"http://127.0.0.1:{port}/api/sessions"), "the console answers", 60)
    assert SessionReader(settings_for("client")).read("queued").instances
    assert "instances" in _fetch(f"http://127.0.0.1:{port}/api/sessions/queued")
    assert _fetch(f"http://127.0.0.1:{port}/api/statistics")
    wait_until(lambda: _has_all_answers(_fetch(f"http://127.0.0.1:{port}/")), "the overview has all answers", 60)
    assert "Dead letter" in _fetch(f"http://127.0.0.1:{port}/dead-letters?state=any")
    _use_the_command_line(settings_for("api"), NAMES.decisions)
    _use_the_command_line(settings_for("operator"), NAMES.commands, *OF_OPERATOR)
    _use_the_api(settings_for("api"), kafka.log.parent)
    assert "Progress" in _fetch(f"http://127.0.0.1:{port}/jobs"), "the console reads the jobs of the command line"


def _has_all_answers(overview: str) -> bool:
    return "Published rules" in overview and "Nobody knows this now" not in overview


def _send_bad_records(kafka: SecuredKafka) -> None:
    producer = Producer({"bootstrap.servers": kafka.plain})
    elsewhere = 1 - partition_of(b"moved", 2)
    producer.produce(NAMES.events, b'{"trigger": "a"}', b"moved", partition=elsewhere)
    producer.produce(NAMES.events, b"\xff", b"bad")
    producer.produce(NAMES.commands, b"\xff", b"bad")
    assert producer.flush(60) == 0


COMMANDS = (
    ("topics", "lag", "--json"),
    ("list", "--json"),
    ("explain", "queued", "--json"),
    ("stats", "--json"),
    ("rules", "list", "--json"),
    ("fire", "queued", "more"),
)


OF_OPERATOR = (
    ("topics", "check", "--json"),
    ("doctor", "--json"),
    ("status", "--json"),
    ("top", "--times", "1", "--json"),
    ("export", "queued"),
    ("capture", "queued"),
    ("graph", "--session", "queued", "--json"),
    ("configure", "configured", '{"t_a": {"after": ["a"], "run": "app.a"}}'),
    ("backtest", '{"t_a": {"after": ["a"], "run": "app.a"}}', "--json"),
    ("cancel", "queued", "t_lost#0"),
    ("replay", "--where", "--task", "t_lost", "--dry-run"),
    ("skip", "--where", "--task", "t_lost", "--dry-run"),
    ("jobs", "list", "--json"),
    ("rules", "history", "questionnaire", "--json"),
    ("dead-letters", "discard", "--all", "--json"),
)
WITH_CHECKS = {"topics", "doctor", "backtest"}
"""Commands that end with 1 if they find something."""


def _use_the_api(settings: Settings, folder: Path) -> None:
    """Reads and fires through the HTTP API in a process of its own."""
    with api_server(settings, folder) as (url, _):
        assert httpx.get(f"{url}/v1/sessions/queued", timeout=60).raise_for_status().json()["instances"]
        httpx.post(f"{url}/v1/sessions/queued/triggers/more", json={}, timeout=60).raise_for_status()


def _use_the_command_line(settings: Settings, redriven: str, *more: tuple[str, ...]) -> None:
    """Does what the command line does. The HTTP API does the same by the same functions, except for `more`."""
    coordinates = next(letter["coordinates"] for letter in _letters(settings) if letter["topic"] == redriven)
    publish = ("rules", "publish", f"of-{settings.kafka_username}", '{"t_a": {"after": ["a"], "run": "app.a"}}')
    uid = f"of-{settings.kafka_username}"
    fired = json.loads(cli(settings, "fire", uid, "more", "--json").stdout)
    job = (
        ("show", uid, "--after", f"{fired['partition']}/{fired['offset']}"),
        ("delete", "--where", "--prefix", uid, "--yes"),
    )
    for command in (*COMMANDS, publish, ("dead-letters", "redrive", coordinates), *job, *more):
        done = cli(settings, *command)
        assert done.exit_code in {0, 1 if command[0] in WITH_CHECKS else 0}, f"{command}: {done.output}"


def _letters(settings: Settings) -> list[dict[str, str]]:
    done = cli(settings, "dead-letters", "list", "--json")
    assert done.exit_code == 0, done.output
    letters: list[dict[str, str]] = json.loads(done.stdout)
    return letters


def _fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  # the URL is the console's
            return str(answer.read().decode())
    except OSError:
        return ""


def cli(settings: Settings, *arguments: str) -> Result:
    """Runs a command of the package in this process."""
    words = [str(argument) for argument in arguments]  # click takes the name of an enum, not its value
    return CliRunner().invoke(main, words, env=environment(settings, TRIGGERS_DECISIONS="1"))
