"""A pytest plugin: every `*.capsule.json` is a test that fails if the engine's decisions differ from the captured ones.

It is not part of the package, so that a pytest run without capsules imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

_SUFFIX = ".capsule.json"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects the file if it is a capsule. pytest calls it for every file."""
    return CapsuleFile.from_parent(parent, path=file_path) if file_path.name.endswith(_SUFFIX) else None


class CapsuleFile(pytest.File):
    """A capsule, with one test."""

    def collect(self) -> Iterator[pytest.Item]:
        yield CapsuleItem.from_parent(self, name="replays as captured")


class CapsuleItem(pytest.Item):
    """The test of a capsule."""

    def runtest(self) -> None:
        from triggers.testing.replay import replay  # noqa: PLC0415  # only when there is a capsule

        replay(self.path)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: str | None = None) -> str:  # noqa: ARG002
        """Returns the differences, or why the file is not a capsule. A traceback through the engine would not help."""
        from triggers.errors import TriggersError  # noqa: PLC0415

        known = isinstance(excinfo.value, AssertionError | TriggersError)
        return str(excinfo.value) if known else str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.path.name}: {self.name}"
