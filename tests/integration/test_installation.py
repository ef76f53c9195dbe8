"""The wheel and the sdist install into an empty environment, and a client needs no extra."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = {"t_a": {"after": ["a"], "run": "app.a"}}
HEAVY = ("aiohttp", "celery", "faust", "jinja2", "prometheus_client", "rocksdict")
LOCAL = f"""
from triggers.testing import LocalSession
session = LocalSession({RULES!r})
session.fire("a", {{"n": 1}})
print(session.kwargs_of("t_a"))
"""
PARTS = f"""
import sys, triggers, triggers.testing
from importlib.util import find_spec
print(*(name for name in {HEAVY!r} if find_spec(name)))
"""


def run(*command: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd, env=own | env
    )


def run_well(*command: str | Path, cwd: Path = ROOT) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(python: Path, *packages: str | Path) -> None:
    """Installs with the versions of the lock, from uv's cache if it has them all, otherwise from the index."""
    command: Sequence[str | Path] = [
        *(sys.executable, "-m", "uv", "pip", "install", "--python", python, "-c", ROOT / "requirements.lock"),
        *packages,
    ]
    if run(*command, "--offline").returncode:
        run_well(*command)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the sdist of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run_well(sys.executable, "-m", "hatchling", "build", "-d", folder)
    return folder


@pytest.fixture(scope="module")
def lean(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the wheel and no extra."""
    home = tmp_path_factory.mktemp("lean")
    run_well(sys.executable, "-m", "uv", "venv", home, "--python", sys.executable)
    install(home / "bin/python", next(built.glob("*.whl")))
    return home / "bin"


def test_a_client_fires_checks_and_tests_rules_without_an_extra(lean: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(json.dumps(RULES))

    assert run_well(lean / "python", "-c", PARTS, cwd=tmp_path).split() == []
    assert run_well(lean / "python", "-c", LOCAL, cwd=tmp_path) == "[{'a': {'n': 1}}]\n"
    run_well(lean / "triggers", "check", "rules.json", cwd=tmp_path)
    fired = run(
        lean / "triggers",
        "fire",
        "s1",
        "a",
        cwd=tmp_path,
        TRIGGERS_BROKERS="127.0.0.1:1",
        TRIGGERS_PUBLISH_TIMEOUT_S="1",
    )
    assert (fired.returncode, "127.0.0.1:1" in fired.stderr) == (4, True), fired.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["worker"], "agent"),
        (["api", "serve"], "api"),
        (["console"], "console"),
        (["dispatcher", "-A", "app"], "celery"),
        (["dev"], "all"),
        (["demo"], "all"),
    ],
)
def test_a_command_names_the_extra_that_it_needs(lean: Path, tmp_path: Path, command: list[str], extra: str) -> None:
    done = run(lean / "triggers", *command, cwd=tmp_path)

    assert f"pip install 'kafka-triggers[{extra}]'" in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_the_sdist_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()

    run_well(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "again", cwd=folder)

    first, second = (next(place.glob("*.whl")) for place in (built, tmp_path / "again"))
    assert sorted(zipfile.ZipFile(second).namelist()) == sorted(zipfile.ZipFile(first).namelist())
