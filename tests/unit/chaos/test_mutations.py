"""The faults that are planted into the agents to test the campaigns."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chaos.faults import FAULTS
from tests.chaos.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_planted_fault_fits_the_code_and_compiles(mutation: Mutation, tmp_path: Path) -> None:
    copy = mutation.plant(tmp_path / "copy")

    for file, _, new in mutation.changes:
        source = (copy / "triggers" / file).read_text()
        assert new in source
        compile(source, file, "exec")
    assert set(mutation.faults) <= FAULTS.keys()
