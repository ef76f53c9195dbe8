"""The archive of Kafka's classes is written by the first broker that ends in order, and read by later ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.dev.class_archive import ClassArchive
from triggers.settings import cache_dir


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache_dir().mkdir(parents=True)
    return cache_dir()


def make_home(tmp_path: Path, name: str) -> Path:
    home = tmp_path / name
    home.mkdir()
    return home


def write_as_java(options: list[str], content: str) -> None:
    """Write the archive as Java does at the end of a broker."""
    assert [option.partition("=")[0] for option in options] == ["-XX:ArchiveClassesAtExit"]
    Path(options[0].partition("=")[2]).write_text(content)


def test_a_later_broker_reads_what_the_first_one_has_written(tmp_path: Path, cache: Path) -> None:
    first = ClassArchive(make_home(tmp_path, "first"))
    write_as_java(first.java_options(), "classes")
    assert first.is_missing()

    first.keep()

    later = ClassArchive(make_home(tmp_path, "later"))
    assert not later.is_missing()
    (archive,) = cache.iterdir()
    assert (later.java_options(), archive.read_text()) == ([f"-XX:SharedArchiveFile={archive}"], "classes")


def test_the_first_of_two_archives_stays(tmp_path: Path, cache: Path) -> None:
    brokers = [ClassArchive(make_home(tmp_path, name)) for name in ("first", "second")]
    for number, broker in enumerate(brokers):
        write_as_java(broker.java_options(), str(number))

    for broker in brokers:
        broker.keep()

    assert [archive.read_text() for archive in cache.iterdir()] == ["0"]


def test_a_killed_broker_leaves_no_archive(tmp_path: Path, cache: Path) -> None:
    killed = ClassArchive(make_home(tmp_path, "killed"))
    killed.java_options()

    killed.keep()

    assert killed.is_missing()
    assert list(cache.iterdir()) == []


def test_another_java_gets_an_archive_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    first = ClassArchive(make_home(tmp_path, "first"))
    write_as_java(first.java_options(), "classes")
    first.keep()

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert ClassArchive(make_home(tmp_path, "later")).is_missing()
