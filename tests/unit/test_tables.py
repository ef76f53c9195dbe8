"""Tables for people fit their terminal, and lose nothing."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from triggers.cli.output import fits_terminal, print_table

COLUMNS = ("session", "unresolved", "what failed", "rules")
ROWS = [
    ("order-0000000000000000017", 3, ["t_bill#0 shop.errors.Declined: the card was declined", "… 2 more"], ""),
    ("order-2", 1, ["[red]t_ship#0[/] \x1b[31mOSError: no route 日本語日本語日本語日本語日本語日本語"], ""),
]
MANY = tuple(f"column {number}" for number in range(12))


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


def words_of(lines: list[str]) -> str:
    return "".join(re.findall(r"[^\s│┃━─┏┳┓┡╇┩├┼┤└┴┘]", "".join(lines)))


@pytest.fixture(params=[40, 60, 80, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The width of the terminal that standard output seems to be."""
    columns: int = request.param
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    return columns


def test_a_table_is_not_wider_than_the_terminal_and_has_every_value(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(COLUMNS, ROWS, "Sessions")

    lines = shown(capsys)
    assert max(map(cell_len, lines)) <= width
    for row in ROWS:
        assert all(part in words_of(lines) for part in ("order-2", "t_bill#0", "declined", "[red]t_ship#0[/]"))
        assert str(row[1]) in words_of(lines)
    assert "\x1b" not in words_of(lines)
    assert words_of(lines).count("日本語") == 6 or width < 80


def test_a_table_with_too_many_columns_is_printed_as_records(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(MANY, [[f"value {number}" if number != 3 else None for number in range(12)]], "Records")

    lines = shown(capsys)
    assert max(map(cell_len, lines)) <= width
    assert any("column 7" in line and "value 7" in line for line in lines) or width == 200
    assert any("column 3" in line for line in lines) is (width == 200)


def test_only_a_table_that_needs_no_more_than_the_terminal_fits(width: int) -> None:
    assert fits_terminal(("a", "b"), [("x" * (width - 8), "y")])
    assert not fits_terminal(("a", "b"), [("x" * (width - 7), "y")])


def test_in_a_pipe_every_table_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    assert fits_terminal(("a",), [("x" * 10_000,)])
