"""Sessions, triggers and tasks of any name on the command line and in the names of files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.any_text import ANY_TEXT, log_of
from tests.support.program import environment

from triggers.analysis.verify.capsules import file_name
from triggers.analysis.visible_text import show_hidden
from triggers.cli import main
from triggers.cli.printable import printable
from triggers.codec.event_lines import encode_line

COMMANDS = {
    "show": ["show", "--", "UID"],
    "show --diff": ["show", "--diff", "1", "2", "--", "UID"],
    "explain": ["explain", "--", "UID"],
    "stats": ["stats"],
    "backtest": ["backtest", '{"t_other": {"after": ["x"], "run": "app.other"}}'],
}
QUOTED = {"NUL"}
"""No program can get these as arguments."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of all sessions."""
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(b"".join(encode_line(*line) + b"\n" for name in ANY_TEXT.values() for line in log_of(name)))
    return path


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ANY_TEXT)
def test_what_a_command_prints_neither_ends_lines_nor_controls_the_terminal(
    tmp_path: Path, command: str, name: str
) -> None:
    (tmp_path / "one.jsonl").write_bytes(b"".join(encode_line(*line) + b"\n" for line in log_of(ANY_TEXT[name])))
    arguments = [ANY_TEXT[name] if word == "UID" else word for word in COMMANDS[command]]
    option = ["--from", str(tmp_path / "one.jsonl")]

    done = CliRunner().invoke(main, [arguments[0], *option, *arguments[1:]])

    assert done.exit_code in {0, 1}, done.output
    unprintable = {char for line in done.output.split("\n") for char in line if printable(char) != char}
    assert not unprintable, ascii(done.output)


@pytest.mark.parametrize("name", ANY_TEXT)
def test_json_has_no_sequence_that_controls_the_terminal(tmp_path: Path, name: str) -> None:
    (tmp_path / "one.jsonl").write_bytes(b"".join(encode_line(*line) + b"\n" for line in log_of(ANY_TEXT[name])))

    done = CliRunner().invoke(main, ["show", "--from", str(tmp_path / "one.jsonl"), "--json", "--", ANY_TEXT[name]])

    assert show_hidden(done.stdout) == done.stdout, ascii(done.stdout)
    assert json.loads(done.stdout)["latest_kwargs"] == {ANY_TEXT[name]: {ANY_TEXT[name]: ANY_TEXT[name]}}


@pytest.mark.parametrize("name", [name for name in ANY_TEXT if name not in QUOTED])
def test_a_session_is_found_by_its_name_as_an_argument(log: Path, name: str) -> None:
    uid = ANY_TEXT[name]

    done = CliRunner().invoke(main, ["show", "--from", str(log), "--json", "--", uid])

    assert (done.exit_code, json.loads(done.stdout)["uid"]) == (0, uid)


@pytest.mark.parametrize("uid", ["-x", "-12345", "--session-1"])
def test_a_name_that_looks_like_an_option_is_refused_with_the_way_to_write_it(log: Path, uid: str) -> None:
    done = CliRunner().invoke(main, ["show", uid, "--from", str(log)])

    assert done.exit_code == 2
    assert "a name that begins with a dash goes after --: `main show -- -" in done.output


def test_each_session_is_captured_to_a_file_of_its_own_inside_the_folder(log: Path, tmp_path: Path) -> None:
    uids = list(ANY_TEXT.values())

    done = CliRunner().invoke(main, ["capture", "--from", str(log), "--into", str(tmp_path / "out"), "--", *uids])

    assert done.exit_code == 0, done.output
    files = list((tmp_path / "out").iterdir())
    assert sorted(json.loads(file.read_bytes())["session"] for file in files) == sorted(uids)
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    assert all(file.name.isascii() and not file.name.startswith("-") and len(file.name) < 255 for file in files)


@pytest.mark.parametrize("name", ANY_TEXT)
def test_the_name_of_a_file_differs_from_that_of_every_other_session(name: str) -> None:
    others = [uid for uid in ANY_TEXT.values() if uid != ANY_TEXT[name]]

    assert file_name(ANY_TEXT[name]) not in map(file_name, [*others, f"%2D{ANY_TEXT[name][1:]}"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "\udcff"], "session UID: surrogates not allowed"),
        (["show", ""], "session UID: it has 0 bytes"),
        (["show", "x" * 1025], "session UID: it has 1025 bytes"),
        (["fire", "s", "\udcff"], "surrogates not allowed"),
        (["fire", "s", "x" * 1025], "trigger"),
        (["fire", "s", "a", "--id", "\udcff"], "surrogates not allowed"),
        (["fire", "s", "a", "--kwargs", '{"a": "\udcff"}'], "surrogates not allowed"),
        (["configure", "s", '{"\udcff": {"after": ["a"], "run": "x"}}'], "surrogates not allowed"),
    ],
)
def test_what_cannot_be_a_name_is_refused_in_one_line(arguments: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "triggers.cli", "--brokers", "127.0.0.1:1", *arguments],
        env=environment(TRIGGERS_PUBLISH_TIMEOUT_S="1"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
