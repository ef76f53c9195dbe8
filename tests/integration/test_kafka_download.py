"""Kafka's jars are downloaded once and completely, even by several processes. A script stands in for Maven."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from triggers.dev.artifacts import kafka_jars, kafka_jars_are_here
from triggers.errors import SettingsError

_SLOW_MAVEN = """#!/bin/sh
for argument; do case $argument in -DoutputDirectory=*) jars=${argument#*=};; esac; done
mkdir -p "$jars" && echo half > "$jars/kafka.jar" && sleep 0.5 && echo whole > "$jars/kafka.jar"
"""
_BROKEN_MAVEN = "#!/bin/sh\necho 'Could not transfer artifact' && exit 1\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "cache" / "kafka-triggers"


def test_two_processes_at_once_get_the_same_complete_folder(cache: Path, tmp_path: Path) -> None:
    _install_maven(tmp_path, _SLOW_MAVEN)
    command = [sys.executable, "-c", "from triggers.dev.artifacts import kafka_jars; print(kafka_jars())"]

    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    folders = {Path(process.communicate()[0].strip()) for process in processes}

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(folders) == 1
    assert [(jar.name, jar.read_text()) for jar in folders.pop().iterdir()] == [("kafka.jar", "whole\n")]
    assert len(list(cache.iterdir())) == 1


def test_a_failed_download_says_why_and_leaves_no_files(cache: Path, tmp_path: Path) -> None:
    _install_maven(tmp_path, _BROKEN_MAVEN)

    with pytest.raises(SettingsError, match="Could not transfer artifact"):
        kafka_jars()

    assert not kafka_jars_are_here()
    assert not list(cache.iterdir())


def _install_maven(folder: Path, script: str) -> None:
    (folder / "mvn").write_text(script)
    (folder / "mvn").chmod(0o755)
