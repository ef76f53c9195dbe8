"""docs/operations/exit-codes.md has all exit codes of the code, and cli.md those of the commands."""

from __future__ import annotations

import re

from tests.docs.code_names import ROOT

from triggers.celery.bootstep import EXIT_READER_DIED, EXIT_WRONG_SETTINGS
from triggers.cli.program import EXIT_CODES, INTERRUPTED
from triggers.process.exits import ExitCode

PAGE = (ROOT / "docs" / "operations" / "exit-codes.md").read_text()
CLI_PAGE = (ROOT / "docs" / "cli.md").read_text()


def test_the_page_has_every_code_of_an_agent_its_name_and_whether_it_is_restarted() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (yes|no) \| .+ \|$", PAGE, re.MULTILINE)

    wanted = [(str(int(code)), code.name, "yes" if code.restarts else "no") for code in ExitCode]
    assert rows == wanted


def test_the_page_has_the_codes_that_our_bootstep_gives_a_celery_worker() -> None:
    section = PAGE.split("## The other processes\n", 1)[1]

    assert f"| | {EXIT_READER_DIED} | the reader of the commands died" in section
    assert (
        f"| | {EXIT_WRONG_SETTINGS} | the port of `TRIGGERS_METRICS_PORT` is in use, or a setting is wrong" in section
    )


def test_the_page_of_the_command_line_has_every_code_of_a_command() -> None:
    rows = [int(code) for code in re.findall(r"^\| (\d+) \| ", CLI_PAGE, re.MULTILINE)]

    assert rows == sorted({0, 1, INTERRUPTED, *EXIT_CODES.values()})


def test_no_other_page_repeats_the_table() -> None:
    pages = [page for page in (ROOT / "docs").rglob("*.md") if page.name != "exit-codes.md"]

    repeating = [page.name for page in pages if re.search(r"^\| 7[0-8] \|", page.read_text(), re.MULTILINE)]

    assert repeating == []
