"""`triggers rules publish --watch` publishes again after each change, and says each problem once."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from triggers.cli import main
from triggers.cli.rules_watch import WatchedRules
from triggers.errors import BrokerUnavailable, CallError

RULES = b'{"t_a": {"after": ["a"], "run": "app.A"}}'


class Publisher:
    """Keeps what is published, or raises the next error."""

    def __init__(self, *errors: Exception) -> None:
        self.published: list[bytes] = []
        self._errors = list(errors)

    def publish(self, rules: bytes) -> None:
        if self._errors:
            raise self._errors.pop(0)
        self.published.append(rules)


def look(watched: WatchedRules, times: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    for _ in range(times):
        watched.check()
    return capsys.readouterr().err.splitlines()


def test_a_change_is_published_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / "rules.json").write_bytes(RULES + b"\n")
    publisher = Publisher()
    watched = WatchedRules(file, publisher.publish)

    assert look(watched, 3, capsys) == []
    file.write_bytes(b"\xef\xbb\xbf{}")
    assert look(watched, 3, capsys) == []
    file.write_bytes(gzip.compress(RULES))
    assert look(watched, 3, capsys) == []

    assert publisher.published == [RULES, b"{}", RULES]


def test_rules_are_published_when_kafka_is_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / "rules.json").write_bytes(RULES)
    publisher = Publisher(BrokerUnavailable("away"), BrokerUnavailable("away"))

    assert look(WatchedRules(file, publisher.publish), 4, capsys) == ["Error: away"]
    assert publisher.published == [RULES]


def test_wrong_rules_are_reported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.json"
    publisher = Publisher(CallError("nothing is published"))
    watched = WatchedRules(file, publisher.publish)

    assert ["No such file" in line for line in look(watched, 3, capsys)] == [True]
    file.write_bytes(b'{"t_a": ')
    assert len(look(watched, 3, capsys)) == 1
    file.write_bytes(RULES)
    assert look(watched, 3, capsys) == ["Error: nothing is published"]
    file.write_bytes(b"{}")
    assert look(watched, 3, capsys) == []
    assert publisher.published == [b"{}"]


@pytest.mark.parametrize("command", [["rules", "publish", "shop", "{}", "--watch"], ["dev", "--rules"]])
def test_what_cannot_be_read_again_is_refused(tmp_path: Path, command: list[str]) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    texts = [str(pipe), *(["-", "{}", str(tmp_path), str(tmp_path / "none")] if command[0] == "rules" else [])]

    for text in texts:
        arguments = [*command, text] if command[0] == "dev" else [text if each == "{}" else each for each in command]
        done = CliRunner().invoke(main, arguments)
        assert (done.exit_code, "is not a file that can be read again" in done.stderr) == (2, True), done.output
