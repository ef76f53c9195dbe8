"""Chooses the recorded histories that go through each driver, and counts those that it reproduced."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from triggers.analysis.verify.histories import HistoryResult

DATA = Path(__file__).parents[1] / "conformance" / "data"
CURATED, RANDOM, DIFFERENCES = "curated.jsonl", "random_public.jsonl.gz", "deliberate_differences.jsonl"

EVERY: dict[str, dict[str, int]] = {
    "core": {CURATED: 1, RANDOM: 1, DIFFERENCES: 1},
    "memory": {CURATED: 1, RANDOM: 10, DIFFERENCES: 1},
    "cache": {CURATED: 1, RANDOM: 10, DIFFERENCES: 1},
    "redis-django": {CURATED: 5, RANDOM: 20},
    "redis-django_redis": {CURATED: 5, RANDOM: 20},
    "stream": {CURATED: 1, RANDOM: 40},
}
"""Driver -> file -> n: the driver gets every n-th history of the file, if `HISTORIES` does not say more."""

reproduced: Counter[str] = Counter()
"""Driver -> number of histories reproduced in this test run, which is printed at its end."""


def spaced(every: int) -> int:
    """Returns n if every n-th history is to be taken instead of the `every`-th.

    `HISTORIES=8` takes eight times as many, and `HISTORIES=all` takes all.
    """
    wanted = os.environ.get("HISTORIES", "1")
    return 1 if wanted == "all" else max(1, every // int(wanted))


def sampling_step(driver: str, file: str) -> int:
    """Returns n if the driver gets every n-th history of the file."""
    return spaced(EVERY[driver][file])


def read_histories(driver: str, file: str) -> list[bytes]:
    """Returns the histories of the file that the driver gets."""
    content = (DATA / file).read_bytes()
    all_lines = (gzip.decompress(content) if file.endswith(".gz") else content).splitlines()
    step = sampling_step(driver, file)
    return all_lines[step - 1 :: step]


def count_expected(driver: str, file: str) -> int:
    """Returns how many of them must be reproduced exactly."""
    return sum(json.loads(line).get("firm", True) for line in read_histories(driver, file))


def assert_reproduced(driver: str, file: str, results: Iterable[HistoryResult]) -> None:
    """Fails unless the driver reproduced all of its histories of the file."""
    gating = [result for result in results if result.gates]
    assert [line for result in gating for line in result.differences] == []
    assert len(gating) == count_expected(driver, file) > 0
    reproduced[driver] += len(gating)
