"""A pytest plugin: the fixture `local_session`, and a test for each `*.capsule.json`.

The test of a capsule fails if the engine's decisions differ from the captured ones. The plugin is not part of the
package, so that a pytest run that uses neither imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from triggers.testing import LocalSession

_SUFFIX = ".capsule.json"


@pytest.fixture
def local_session() -> type[LocalSession]:
    """`triggers.testing.LocalSession`: a session whose tasks run in the test, with a clock that the test sets.

    session = local_session(RULES, {"shop.charge": charge})
    """
    from triggers.testing import LocalSession  # noqa: PLC0415  # only when a test asks for it

    return LocalSession


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

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: str | None = None,  # noqa: ARG002  # pytest's signature
    ) -> str:
        """Returns the differences, or why the file is not a capsule. A traceback through the engine would not help."""
        from triggers.errors import TriggersError  # noqa: PLC0415  # only when there is a capsule

        known = isinstance(excinfo.value, AssertionError | TriggersError)
        return str(excinfo.value) if known else str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.path.name}: {self.name}"
