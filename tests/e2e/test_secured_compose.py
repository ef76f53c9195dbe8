"""The profile `secured` of docker-compose.yml runs a session to its end: its commands, as processes of this machine.

There is no Docker here, so images, volumes, networks and health checks are not run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from tests.support.compose_services import ROOT, ComposeServices
from tests.support.topic_reader import wait_until

from triggers.dev.broker import LocalKafka
from triggers.errors import SettingsError
from triggers.kafka.connection import admin_client
from triggers.kafka.permissions import Process, permissions_of
from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

SERVED = {"agent", "api", "celery", "client", "console", "operator"}
BROKER_ONLY = {"secured-kafka"}


@pytest.fixture
def services(no_process_is_left: None, tmp_path: Path) -> Iterator[ComposeServices]:  # noqa: ARG001  # its check must follow
    """The services of the file, with secrets that its script has made."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates")
    secrets = tmp_path / "secrets"
    subprocess.run(["sh", ROOT / "deploy/secured/make-secrets.sh", secrets], check=True, capture_output=True)
    made = ComposeServices(tmp_path, secrets)
    yield made
    made.stop()


@pytest.fixture
def broker(services: ComposeServices) -> Iterator[LocalKafka]:
    """The broker of the profile. It answers its administrator, who connects with a certificate."""
    try:
        kafka = services.broker("secured-kafka")
    except (FileNotFoundError, SettingsError) as error:
        pytest.skip(str(error))
    try:
        kafka.launch()
        administrator = admin_client(Settings.from_env(services.environment("secured-users")))
        wait_until(lambda: _answers(administrator), f"the broker answers; see {services.log('secured-kafka')}", 180)
        yield kafka
    finally:
        kafka.stop()


def _answers(admin: AdminClient) -> bool:
    try:
        return bool(admin.list_topics(timeout=2).brokers)
    except KafkaException:
        return False


@pytest.mark.usefixtures("broker")
def test_a_session_of_the_secured_profile_runs_to_its_end(services: ComposeServices) -> None:
    granted = services.run("secured-users")
    assert granted.returncode == 0, granted.stderr
    assert services.run("secured-topics").returncode == 0
    port = services.address("secured-agent", "6066").rpartition(":")[2]
    services.start("browser-service")
    services.start("secured-agent", TRIGGERS_WEB_PORT=port)
    services.start("secured-celery", TRIGGERS_METRICS_PORT="0")

    rules = str(ROOT / "examples/questionnaire/rules.json")
    _operate(services, "rules", "publish", "questionnaire", rules, "--default")
    kwargs = json.dumps({"name": "Ada", "responses": {"browser": "Firefox/145.0"}})
    for trigger in ("firstPageReceived", "pageReceived", "questionnaireComplete"):
        _operate(services, "fire", "s1", trigger, "--kwargs", kwargs)
    finished = dict.fromkeys(TASKS, "finished")
    wait_until(lambda: _statuses(services) == finished, f"all have run; see {services.log('secured-celery')}", 120)
    findings = _doctor(services)

    assert {each["verdict"] for each in findings if each["check"] in {"connection", "permissions", "topics"}} == {"ok"}
    assert not any("Denied" in line for line in services.log("secured-kafka").read_text().splitlines())


TASKS = ("t_importSubject#0", "t_importResponses#0", "t_importBrowserMetadata#0")


def _operate(services: ComposeServices, *arguments: str) -> str:
    done = services.run("secured", "triggers", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _statuses(services: ComposeServices) -> dict[str, str]:
    done = services.run("secured", "triggers", "show", "s1", "--json")
    view = json.loads(done.stdout) if done.returncode == 0 else {"instances": []}
    return {each["name"]: each["status"] for each in view["instances"]}


def _doctor(services: ComposeServices) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(services.run("secured", "triggers", "doctor", "--json").stdout)
    return findings


@pytest.mark.usefixtures("broker")
def test_the_users_have_exactly_the_permissions_that_are_printed(services: ComposeServices) -> None:
    granted = services.run("secured-users")

    assert granted.returncode == 0, granted.stderr
    settings = Settings.from_env(services.environment("secured-users"))
    printed = {line.partition(":")[0]: line.partition(": ")[2] for line in granted.stdout.splitlines()}
    wanted = {name: "; ".join(map(str, permissions_of(Process(name), settings))) for name in SERVED}
    assert printed == wanted
    refused = services.run("secured", "triggers", "list", TRIGGERS_KAFKA_USERNAME="stranger")
    assert "the user or the password is wrong" in refused.stderr


def test_every_service_of_the_profile_has_secrets_of_its_own_user_only(services: ComposeServices) -> None:
    for name in services.names - BROKER_ONLY - {"secured-users"}:
        environment = services.environment(name)
        own = f"{environment['TRIGGERS_KAFKA_USERNAME']}-password"
        assert Path(environment["TRIGGERS_KAFKA_PASSWORD_FILE"]).name == own
        assert Settings.from_env(environment).is_secured
