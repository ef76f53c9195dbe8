"""The differences of two sets of rows turn one into the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triggers.core.state.rows import MemoryRows
from triggers.recovery.changelog_rebuild import find_differences

ROWS = st.dictionaries(st.binary(min_size=1, max_size=2), st.binary(max_size=1), max_size=8)


@given(folded=ROWS, stored=ROWS)
def test_written_over_the_stored_rows_they_give_the_folded_ones(
    folded: dict[bytes, bytes], stored: dict[bytes, bytes]
) -> None:
    differences = dict(find_differences(sorted(folded.items()), sorted(stored.items())))

    rows = MemoryRows(stored)
    rows.write(differences)
    assert rows == folded
    assert all(stored.get(key) != row for key, row in differences.items())
