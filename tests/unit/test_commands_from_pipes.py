"""Every command that reads a file prints the same for a pipe, a named pipe, standard input and a compressed file."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.program import environment

from triggers.cli import main

RULES = b'{"t_bill": {"after": ["paid", "shipped"], "run": "shop.bill"}}'
NEW_RULES = b'{"t_bill": {"after": ["paid"], "run": "shop.bill"}}'
LOG = b"""\
{"session":"o-1","configuration":%s,"time":"2024-03-01T10:00:00Z"}
{"session":"o-1","trigger":"paid","kwargs":{"sum":3},"time":"2024-03-01T10:00:01Z"}
{"session":"o-1","trigger":"shipped","kwargs":{},"time":"2024-03-01T10:00:02Z"}
""" % RULES.replace(b"\n", b"")


def capsule() -> bytes:
    return CliRunner().invoke(main, ["capture", "o-1", "--from", "-"], input=LOG).stdout_bytes


HISTORY = b'{"id": "one", "title": "t", "configuration": {"t_a": {"after": ["a"], "run": "app.A"}}, "steps": []}\n'
COMMANDS: dict[str, tuple[Sequence[str], Callable[[], bytes]]] = {
    "stats": (["stats", "--json", "--from", "FILE"], lambda: LOG),
    "stats of a capsule": (["stats", "--json", "--from", "FILE"], capsule),
    "explain": (["explain", "o-1", "--json", "--from", "FILE"], lambda: LOG),
    "show": (["show", "o-1", "--json", "--from", "FILE"], lambda: LOG),
    "show --at": (["show", "o-1", "--json", "--at", "2", "--from", "FILE"], lambda: LOG),
    "capture": (["capture", "o-1", "--from", "FILE"], lambda: LOG),
    "graph --session": (["graph", "--session", "o-1", "--from", "FILE"], lambda: LOG),
    "graph": (["graph", "FILE"], lambda: RULES),
    "backtest, log": (["backtest", NEW_RULES.decode(), "--json", "--from", "FILE"], lambda: LOG),
    "verify, capsule": (["verify", "FILE", "--json"], capsule),
    "verify, history": (["verify", "FILE", "--json"], lambda: HISTORY),
    "check": (["check", "FILE", "--json"], lambda: RULES),
    "check --triggers, list": (["check", "RULES", "--triggers", "FILE"], lambda: b' ["paid", "shipped"]'),
    "check --triggers, log": (["check", "RULES", "--triggers", "FILE"], lambda: LOG),
    "check --events": (["check", "RULES", "--events", "FILE"], lambda: LOG),
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.json"
    path.write_bytes(RULES)
    return path


def run(arguments: Sequence[str], file: str, rules: Path, standard_input: bytes = b"") -> tuple[int, str]:
    """Runs the command in this process. The file's name, which some commands print, is replaced."""
    names = {"FILE": file, "RULES": str(rules)}
    done = CliRunner().invoke(main, [names.get(argument, argument) for argument in arguments], input=standard_input)
    shown = "standard input" if file == "-" else file
    return done.exit_code, done.stdout.replace(shown, "FILE")


@pytest.mark.parametrize("name", COMMANDS)
def test_standard_input_compressed_or_marked_gives_what_the_file_gives(tmp_path: Path, rules: Path, name: str) -> None:
    arguments, content = COMMANDS[name]
    text = content()
    (tmp_path / "file").write_bytes(text)

    expected = run(arguments, str(tmp_path / "file"), rules)

    assert expected[0] in {0, 1}
    assert any(word in expected[1] for word in ("o-1", "t_bill", "passed", "0 errors")), expected
    for given in (text, text.removesuffix(b"\n"), gzip.compress(text), b"\xef\xbb\xbf" + text):
        assert run(arguments, "-", rules, given) == expected


@pytest.mark.parametrize("name", ["stats", "explain", "backtest, log", "verify, capsule", "check --triggers, log"])
@pytest.mark.parametrize("form", ["FILE <(cat)", "FILE /dev/stdin"])
def test_process_substitution_gives_what_the_file_gives(tmp_path: Path, rules: Path, name: str, form: str) -> None:
    arguments, content = COMMANDS[name]
    file = tmp_path / "file"
    file.write_bytes(content())
    pipe, source = ("/dev/stdin", f"cat {file} |") if "stdin" in form else (f"<(cat {file})", "")
    words = " ".join({"FILE": pipe, "RULES": str(rules)}.get(word, f"'{word}'") for word in arguments)

    done = subprocess.run(
        ["bash", "-c", f"{source} {sys.executable} -m triggers.cli {words}"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == run(arguments, str(file), rules), done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["backtest", "-", "--from", "-"], "'-'"),
        (["backtest", "@-", "--from", "/dev/stdin"], "'-'"),
        (["stats", "--rules", "-", "--from", "-"], "'-'"),
        (["verify", "-", "-"], "'-'"),
        (["backtest", "PIPE", "--from", "PIPE"], "pipe'"),
    ],
)
def test_a_pipe_that_is_given_twice_is_refused(tmp_path: Path, arguments: list[str], named: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR)  # so that opening the pipe to read does not block
    try:
        os.write(descriptor, RULES)
        done = subprocess.run(
            [sys.executable, "-m", "triggers.cli", *(str(pipe) if word == "PIPE" else word for word in arguments)],
            env=environment(),
            input=RULES,
            capture_output=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(descriptor)

    assert done.returncode == 2
    assert f"{named} is given twice, but a pipe can be read only once" in done.stderr.decode()


def test_an_event_is_fired_with_kwargs_from_standard_input_only_if_they_are_an_object() -> None:
    done = CliRunner().invoke(main, ["fire", "o-1", "paid", "--kwargs", "-"], input=b"[1]")

    assert done.exit_code == 2
    assert "must be a JSON object" in done.output
