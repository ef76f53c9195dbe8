"""A search leaves no scan behind, so that the files of its partition can move to another worker at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.indexed_rows import IndexedRows

from triggers.core.state.plans import Plans
from triggers.queries import SessionQuery
from triggers.queries.partition_search import PartitionSearch
from triggers.store.partition_rows import open_rows

RULES = {"t_bill": {"after": ["order"], "run": "shop.bill"}}


@pytest.fixture
def without_collection() -> Iterator[None]:
    """Only counted references free objects, as in a worker, which seldom collects garbage."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collection")
@pytest.mark.parametrize("query", [SessionQuery(stuck_ms=0), SessionQuery(), SessionQuery(status="failed")])
def test_files_can_be_opened_again_after_a_search_that_stopped_among_failures(
    tmp_path: Path, query: SessionQuery
) -> None:
    sessions = IndexedRows()
    for uid in ("a", "b", "c", "d"):
        sessions.configure(uid, RULES)
        sessions.fire(uid, "order")
        sessions.fail(uid, "t_bill#0")
    rows = open_rows(tmp_path / "rows", "id", 0)
    rows.write(dict(sessions.rows.items()), None)

    page = PartitionSearch(rows, Plans(), query, sessions.now).find("", 1, 1)
    rows.close()

    assert page.reached is not None
    open_rows(tmp_path / "rows", "id", 0).close()
