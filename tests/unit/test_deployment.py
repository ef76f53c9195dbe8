"""The commands, settings, paths and pins in the compose file and the image exist. These tests need no Docker."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement

from triggers.cli import main
from triggers.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
COMMANDS: list[list[str]] = [one["command"] for one in SERVICES.values() if "command" in one]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", " ")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str | dict[str, str]]] = PROJECT["project"]["optional-dependencies"]
DEPENDENCIES: list[str | dict[str, str]] = [
    *PROJECT["project"]["dependencies"],
    *(each for extra in ("agent", "api", "celery", "console") for each in EXTRAS[extra]),
]
GROUPS: dict[str, list[str | dict[str, str]]] = PROJECT["dependency-groups"]
LOCKS = ["requirements.lock", "deploy/requirements.lock", "deploy/build.lock"]


def test_the_compose_file_runs_a_broker_topics_agents_and_celery_workers() -> None:
    assert {"kafka", "topics", "agent", "celery"} <= set(SERVICES)


@pytest.mark.parametrize(
    "service", [name for name, one in SERVICES.items() if one.get("command", [""])[0] == "triggers"]
)
def test_a_command_of_the_compose_file_is_one_of_ours(service: str) -> None:
    assert _accepted(SERVICES[service]["command"][1:])


def test_the_command_of_the_image_is_one_of_ours() -> None:
    (command,) = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
    program, *arguments = yaml.safe_load(command)

    assert program in PROJECT["project"]["scripts"]
    assert _accepted(arguments)


def test_a_module_that_the_compose_file_runs_is_in_the_examples() -> None:
    modules = [
        word for one in SERVICES.values() for word in one.get("command", []) if word.startswith("questionnaire.")
    ]

    assert modules
    assert [name for name in modules if not (ROOT / "examples" / f"{name.replace('.', '/')}.py").is_file()] == []


def test_every_setting_of_the_compose_file_and_the_image_exists_and_is_valid() -> None:
    for service in SERVICES.values():
        environment = {name: value for name, value in service.get("environment", {}).items() if name.startswith(PREFIX)}
        unknown = {name for name in environment if name.removeprefix(PREFIX).lower() not in Settings.__struct_fields__}

        assert unknown == set()
        assert Settings.from_env(environment)
    assert PREFIX not in DOCKERFILE


def test_every_volume_of_the_compose_file_is_declared_and_used() -> None:
    sources = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}

    assert {source for source in sources if not source.startswith("./")} == set(COMPOSE["volumes"])


def test_every_service_waits_for_healthy_services() -> None:
    for service in SERVICES.values():
        for name, wanted in service.get("depends_on", {}).items():
            is_healthy = wanted["condition"] == "service_healthy"
            assert is_healthy == ("healthcheck" in SERVICES[name])


def test_a_health_check_of_python_is_python() -> None:
    checks = [one["healthcheck"]["test"] for one in SERVICES.values() if "healthcheck" in one]
    programs = [check[3] for check in checks if check[1:3] == ["python", "-c"]]

    assert programs
    for program in programs:
        compile(program, "healthcheck", "exec")
    agent = SERVICES["agent"]["healthcheck"]["test"][3]
    assert f"{Settings().web_port}" in agent
    assert "/ready" in agent


def test_every_path_that_the_image_copies_is_there_and_not_ignored() -> None:
    copies = [shlex.split(line)[1:-1] for line in re.findall(r"^COPY .*$", DOCKERFILE, re.MULTILINE)]
    ours = {
        path for words in copies if not words[0].startswith("--from") for path in words if not path.startswith("--")
    }
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}

    assert "streams" in ours
    assert {path for path in ours if not (ROOT / path).exists()} == set()
    assert ours == sent


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", DEPENDENCIES + GROUPS["dev"] + GROUPS["build"]),
        ("deploy/requirements.lock", DEPENDENCIES),
        ("deploy/build.lock", GROUPS["build"]),
    ],
)
def test_a_lock_pins_every_requirement(lock: str, wanted: list[str | dict[str, str]]) -> None:
    pins = dict(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", (ROOT / lock).read_text(), re.MULTILINE))
    requirements = [Requirement(line) for line in wanted if isinstance(line, str)]

    assert requirements
    assert [str(one) for one in requirements if pins.get(one.name, "") not in one.specifier] == []


def test_the_compiled_modules_exist_and_contain_the_path_of_every_event() -> None:
    modules = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"])

    assert {module for module in modules if not (ROOT / "streams" / module).is_file()} == set()
    assert {f"triggers/core/{name}.py" for name in ("decision_builder", "engine", "state/session")} <= modules
    assert "triggers/agent/turns/partition_turn.py" in modules


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_the_image_has_the_versions_that_the_tests_ran_with(lock: str) -> None:
    tested, deployed = ((ROOT / one).read_text() for one in (LOCKS[0], lock))
    pins = re.findall(r"^[a-z0-9.-]+==[^ ;\\]+", deployed, re.MULTILINE)

    assert pins
    assert [pin for pin in pins if f"{pin} " not in tested] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text()
    assert "--find-links" not in (ROOT / lock).read_text()


def _accepted(arguments: list[str]) -> bool:
    """Returns whether command and options exist. Click parses all of them before it prints the help."""
    return CliRunner().invoke(main, [*arguments, "--help"]).exit_code == 0


def test_our_containers_have_a_read_only_root_file_system_and_no_capabilities() -> None:
    ours = {name: one for name, one in SERVICES.items() if one["image"].startswith("kafka-triggers")}

    assert {"topics", "agent", "celery", "console", "api"} <= set(ours)
    for service in ours.values():
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]  # noqa: S108  # inside the container
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_image_runs_as_a_user_that_is_visibly_not_root() -> None:
    users = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)

    assert users == ["10001:10001"]
    assert "--uid 10001" in DOCKERFILE


def test_the_bill_of_materials_names_what_is_installed(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"

    subprocess.run([sys.executable, ROOT / "deploy" / "sbom.py", file], check=True)

    document = json.loads(file.read_text())
    components = {each["name"].lower(): each for each in document["components"]}
    assert document["bomFormat"] == "CycloneDX"
    assert components["faust-streaming"]["version"] == version("faust-streaming")
    assert components["faust-streaming"]["purl"] == f"pkg:pypi/faust-streaming@{version('faust-streaming')}"
    assert "kafka-triggers" in components
