"""docs/cli.md, docs/settings.md and the table of findings in docs/analysis.md agree with the code."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from tests.docs.reference_pages import (
    DOCS,
    JSON_SHAPES,
    analysis_page,
    cli_page,
    commands,
    options,
    setting_texts,
    settings_page,
)

from triggers.cli import main
from triggers.settings import PREFIX, Settings

WRITE = "run `python -m tests.docs.reference_pages`"


def test_the_page_of_the_command_line_is_current() -> None:
    assert (DOCS / "cli.md").read_text() == cli_page(), WRITE


def test_the_page_of_the_settings_is_current() -> None:
    assert (DOCS / "settings.md").read_text() == settings_page(), WRITE


def test_the_table_of_findings_is_current() -> None:
    assert (DOCS / "analysis.md").read_text() == analysis_page(), WRITE


def test_every_setting_has_a_docstring() -> None:
    assert [name for name, text in setting_texts().items() if not text] == []
    assert tuple(setting_texts()) == Settings.__struct_fields__


def test_every_option_has_a_help_text() -> None:
    silent = [(path, option.name) for path, command in commands() for option in options(command) if not option.help]

    assert silent == []


def test_what_json_prints_is_written_down_for_every_command_that_has_it() -> None:
    speaking = {" ".join(path) for path, command in commands() if any(o.name == "as_json" for o in options(command))}

    assert speaking == set(JSON_SHAPES)


def test_the_variable_of_an_option_is_that_of_a_setting_or_is_named_after_the_command_and_the_option() -> None:
    shared = {PREFIX + name.upper() for name in Settings.__struct_fields__} | {f"{PREFIX}JSON", f"{PREFIX}APP"}
    shared |= {f"{PREFIX}RETENTION_DAYS"}
    own = [
        (option.envvar, PREFIX + "_".join((*path, option.opts[-1].lstrip("-"))).upper().replace("-", "_"))
        for path, command in commands()
        for option in options(command)
        if option.envvar not in shared
    ]

    assert [variable for variable, named in own if variable != named] == []
    assert len(own) == len(set(own))


def test_a_variable_sets_its_option() -> None:
    rules = '{"t_a": {"after": ["a"], "run": "a"}}'

    drawn = CliRunner(env={"TRIGGERS_GRAPH_FORMAT": "dot"}).invoke(main, ["graph", rules])

    assert drawn.output.startswith("digraph")


def test_no_page_names_a_file_that_is_missing() -> None:
    root = DOCS.parent
    pages = [root / "README.md", *DOCS.glob("*.md"), *root.glob("examples/*/README.md")]

    assert [(page.name, link) for page in pages for link in _links(page) if not (page.parent / link).exists()] == []


def test_every_command_of_the_readme_exists() -> None:
    text = (DOCS.parent / "README.md").read_text()
    named = {line.split()[1] for line in text.splitlines() if line.startswith("triggers ")}

    assert named
    assert named <= set(main.list_commands(main.make_context("triggers", ["list"], resilient_parsing=True)))


def _links(page: Path) -> list[str]:
    targets = [part.split(")", 1)[0].split("#")[0] for part in page.read_text().split("](")[1:]]
    return [target for target in targets if target and "://" not in target]
