"""The core reproduces what the framework did, as recorded."""

from __future__ import annotations

import pytest
from tests.support.histories import CURATED, DATA, DIFFERENCES, RANDOM, assert_reproduced, count_expected

from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.histories import verify_files


@pytest.mark.parametrize(("file", "histories"), [(CURATED, 231), (RANDOM, 2_000)])
def test_every_recorded_history_is_reproduced(file: str, histories: int) -> None:
    assert count_expected("core", file) == histories
    assert_reproduced("core", file, verify_files([InputFile(DATA / file)]))


def test_every_firm_deliberate_difference_is_reproduced() -> None:
    assert count_expected("core", DIFFERENCES) == 25
    assert_reproduced("core", DIFFERENCES, verify_files([InputFile(DATA / DIFFERENCES)]))
