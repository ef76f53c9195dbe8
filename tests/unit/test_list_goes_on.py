"""`triggers list` searches on while nothing has matched."""

from __future__ import annotations

import pytest
from tests.support.running_installation import HOSTILE, RunningInstallation, shop

from triggers.cli.list import find_first
from triggers.queries import MissingPartition, Page, SessionQuery


def search(installation: RunningInstallation, query: SessionQuery) -> Page:
    return find_first(lambda cursor: installation.find(query, 50, cursor, 1.0), None)


def test_it_goes_on_to_the_first_session_that_matches(capsys: pytest.CaptureFixture[str]) -> None:
    page = search(RunningInstallation(shop(), max_rows=10), SessionQuery(message="onerror"))

    assert [session.uid for session in page.sessions] == [HOSTILE]
    assert "Nothing has matched among 11 rows; the search goes on." in capsys.readouterr().err


def test_it_goes_on_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    page = search(RunningInstallation(shop(), max_rows=10), SessionQuery(seen="unknown"))

    assert page.is_empty
    assert len(capsys.readouterr().err.splitlines()) == 6


def test_it_does_not_pass_over_partitions_that_do_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    lacking = RunningInstallation(shop(), missing=[MissingPartition(3, "it moves")], max_rows=10)

    page = search(lacking, SessionQuery(seen="unknown"))

    assert (page.sessions, page.missing, page.cursor is None) == ([], [MissingPartition(3, "it moves")], False)
    assert capsys.readouterr().err == ""
