"""Kafka's tool formats the storage of a node once; later brokers get a copy. A script stands in for the tool."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.dev.kafka_storage import format_storage
from triggers.errors import SettingsError
from triggers.settings import cache_dir

_TOOL = """
folder=$(sed -n 's/^log.dirs=//p' "$1" | tail -1)
mkdir "$folder" && grep '^node.id=' "$1" | tail -1 > "$folder/meta.properties" && echo formatted >> "$0"
"""
PROPERTIES = "node.id=1\nlog.dirs=/elsewhere\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache_dir().mkdir(parents=True)
    return cache_dir()


class Tool:
    """A stand-in that counts how often it ran."""

    def __init__(self, log: Path, script: str = _TOOL) -> None:
        self._log, self._script = log, script

    def __call__(self, *arguments: str | Path) -> list[str | Path]:
        assert arguments[:2] == ("kafka.tools.StorageTool", "format")
        return ["sh", "-c", self._script, self._log, arguments[-1]]

    @property
    def runs(self) -> int:
        return self._log.read_text().count("formatted") if self._log.exists() else 0


def test_a_second_broker_of_a_node_gets_a_copy_and_another_node_its_own_storage(tmp_path: Path) -> None:
    tool = Tool(tmp_path / "runs")

    for folder in ("first", "second"):
        format_storage(tmp_path / folder, PROPERTIES, tool)
        assert (tmp_path / folder / "meta.properties").read_text() == "node.id=1\n"
    assert tool.runs == 1

    format_storage(tmp_path / "third", f"{PROPERTIES}node.id=2\n", tool)
    assert (tmp_path / "third" / "meta.properties").read_text() == "node.id=2\n"
    assert tool.runs == 2


def test_a_folder_that_exists_and_is_empty_is_formatted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    format_storage(tmp_path / "data", PROPERTIES, Tool(tmp_path / "runs"))

    assert [path.name for path in (tmp_path / "data").iterdir()] == ["meta.properties"]


def test_a_tool_that_fails_is_quoted_and_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    tool = Tool(tmp_path / "runs", "echo 'class file version 61.0' >&2; exit 1")

    with pytest.raises(SettingsError, match=r"needs Java 17(?s:.)*class file version 61\.0"):
        format_storage(tmp_path / "data", PROPERTIES, tool)

    assert not (tmp_path / "data").exists()
    assert list(cache.iterdir()) == []
