"""`triggers init` starts a project whose test passes; tests/e2e/test_getting_started.py runs its flow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.support.program import environment

from triggers.dev.new_project import FILES, project_name


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    whole = environment() | {"PYTHONPATH": ""} | env
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, env=whole
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    done = run(tmp_path, "-m", "triggers.cli", "init", "My Shop")
    assert done.returncode == 0, done.stderr
    return tmp_path / "My Shop"


def test_the_test_of_a_new_project_passes(project: Path) -> None:
    assert sorted(path.name for path in project.iterdir()) == sorted(FILES)
    assert 'name = "my-shop"' in (project / "pyproject.toml").read_text()
    assert 'Celery("my-shop"' in (project / "app.py").read_text()

    tested = run(project, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider")

    assert "2 passed" in tested.stdout, tested.stdout + tested.stderr


def test_a_second_project_does_not_overwrite_the_first(project: Path) -> None:
    (project / "rules.json").write_text("{}")

    done = run(project.parent, "-m", "triggers.cli", "init", project.name)

    assert (done.returncode, "exists already" in done.stderr) == (2, True)
    assert (project / "rules.json").read_text() == "{}"


def test_the_compose_file_runs_commands_that_exist(project: Path) -> None:
    services = yaml.safe_load((project / "docker-compose.yml").read_text())["services"]
    commands = [service["command"].split() for service in services.values() if "command" in service]

    for program, *arguments in commands:
        done = run(project, "-m", {"triggers": "triggers.cli"}.get(program, program), *arguments, "--help")
        assert done.returncode == 0, done.stderr


def test_a_folder_without_letters_has_a_name() -> None:
    assert project_name(Path("/tmp/Été 2")) == "t-2"  # noqa: S108  # nothing is written
    assert project_name(Path("/tmp/…")) == "orders"  # noqa: S108
