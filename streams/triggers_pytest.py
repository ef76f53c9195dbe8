"""A pytest plugin: every `*.capsule.json` is a test that fails when the engine decides otherwise than captured.

It stands beside the package, so that a pytest run that collects no capsule imports nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

_SUFFIX = ".capsule.json"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Called by pytest for every file."""
    return CapsuleFile.from_parent(parent, path=file_path) if file_path.name.endswith(_SUFFIX) else None


class CapsuleFile(pytest.File):
    """A capsule."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test."""
        yield CapsuleItem.from_parent(self, name="replays as captured")


class CapsuleItem(pytest.Item):
    """The test of a capsule."""

    def runtest(self) -> None:
        """See pytest."""
        from triggers.testing.replay import replay  # noqa: PLC0415  # only when there is a capsule

        replay(self.path)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: str | None = None) -> str:  # noqa: ARG002
        """Differences, or why it is no capsule; a traceback through this engine would tell a tester nothing."""
        from triggers.errors import TriggersError  # noqa: PLC0415

        known = isinstance(excinfo.value, AssertionError | TriggersError)
        return str(excinfo.value) if known else str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, None, str]:
        """See pytest."""
        return self.path, None, f"{self.path.name}: {self.name}"
