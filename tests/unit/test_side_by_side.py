"""Tests that share a slow fixture run in one process, which starts it once; other tests of brokers are spread."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.side_by_side import ONE_BY_ONE, TOGETHER, scope_of

ROOT = Path(__file__).parents[2]
CHEAP = {"tests/integration/test_cache_losses.py", "tests/integration/test_cache_storage.py"}
"""Their fixture is a Redis, which starts at once."""
SHARED = re.compile(r"@pytest\.fixture\([^)]*scope=\"(module|class|package)\"")


def test_every_file_with_a_shared_fixture_is_kept_together() -> None:
    files = {str(file.relative_to(ROOT)) for folder in ONE_BY_ONE for file in (ROOT / folder).rglob("test_*.py")}
    sharing = {name for name in files if SHARED.search((ROOT / name).read_text())}
    together = {group.partition("::")[0] for group in TOGETHER}

    kept = {next((group for group in together if name.startswith(group)), name) for name in sharing - CHEAP}

    assert kept == together


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/unit/core/test_config.py::test_a[1]", "tests/unit/core/test_config.py"),
        ("tests/integration/test_cli.py::test_a[1]", "tests/integration/test_cli.py::test_a[1]"),
        ("tests/integration/test_console.py::test_a[1]", "tests/integration/test_console.py"),
        ("tests/integration/secured/test_permissions.py::test_a[1]", "tests/integration/secured/"),
        (
            "tests/integration/test_ports_on_kafka.py::TestStreamOnKafka::test_a",
            "tests/integration/test_ports_on_kafka.py::TestStreamOnKafka",
        ),
    ],
)
def test_a_test_runs_with_those_that_share_a_fixture_with_it(nodeid: str, scope: str) -> None:
    assert scope_of(nodeid) == scope
