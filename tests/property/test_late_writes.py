"""A batch is decided before the previous one is written, and must still see the previous one's rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from tests.property.test_replayed_logs import UID, fold, random_log

from triggers.agent.turns.overlay import Overlays
from triggers.core.commands import Command
from triggers.core.engine import apply
from triggers.core.events import Event
from triggers.core.state.plans import Plans
from triggers.core.state.rows import Changes, MemoryRows
from triggers.core.state.session import Session


def fold_with_late_writes(log: Iterable[Event], rows: MemoryRows, batch: int) -> Iterator[Command]:
    """Folds batches from rows alone, and writes the rows of each batch only after the next one is decided."""
    overlays = Overlays(lambda _partition: rows)
    before: Changes = {}
    events = list(log)
    for start in range(0, len(events), batch):
        session = Session(UID, overlays.for_partition(0), Plans())
        for event in events[start : start + batch]:
            yield from apply(session, event).commands
        rows.write(before)
        before = session.changes()
        overlays.replace_changes({0: before})
    rows.write(before)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("batch", [1, 7])
def test_rows_that_are_written_late_make_no_difference(seed: int, batch: int) -> None:
    log, at_once, late = random_log(seed), MemoryRows(), MemoryRows()

    commands = list(fold(log, at_once))

    assert list(fold_with_late_writes(log, late, batch)) == commands
    assert late == at_once
