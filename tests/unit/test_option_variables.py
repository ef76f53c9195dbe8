"""The environment variable of an option belongs to that option alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click import Option
from click.testing import CliRunner
from tests.unit.test_cli_ignored_options import commands

from triggers.cli.program import main
from triggers.settings import PREFIX, Settings

SETTINGS = {PREFIX + name.upper() for name in Settings.__struct_fields__}
MAKE = ("api", "token", "shop", "--scope", "ingest")


def test_an_option_reads_the_variable_of_a_setting_only_if_its_help_shows_it() -> None:
    hidden = [
        f"{name} {option.opts[0]}"
        for name, command in commands()
        for option in command.params
        if isinstance(option, Option) and option.envvar in SETTINGS and not option.show_envvar
    ]

    assert hidden == []


def test_a_token_is_added_to_no_file_that_only_the_api_s_setting_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("# those of the API\n")
    monkeypatch.setenv("TRIGGERS_API_TOKEN_FILE", str(tokens))

    made = CliRunner().invoke(main, MAKE)

    assert made.exit_code == 0, made.output
    assert "Line for TRIGGERS_API_TOKEN_FILE: shop " in made.output
    assert tokens.read_text() == "# those of the API\n"


def test_a_token_is_added_to_the_file_that_the_option_names_and_once_only(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"

    added = CliRunner().invoke(main, [*MAKE, "--add-to", str(tokens)])
    again = CliRunner().invoke(main, [*MAKE, "--add-to", str(tokens)])

    assert added.output.splitlines()[-1] == f"Added to {tokens}."
    assert [line.split()[0] for line in tokens.read_text().splitlines()] == ["shop"]
    assert tokens.stat().st_mode & 0o777 == 0o600
    assert again.exit_code == 2
    assert "has a token of 'shop' already" in again.output
