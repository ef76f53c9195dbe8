"""The storage in docs/storages.md passes the suite for storages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.support.session_hammer import assert_no_update_is_lost

from triggers import CacheStorageBackend, TriggerManager
from triggers.registry import storage_backends
from triggers.storages.base import BaseStorageBackend
from triggers.testing import StorageSuite

PAGE = Path(__file__).parents[2] / "docs/storages.md"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    _, storage, check = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("sql"))
    try:
        exec(compile(storage + check, str(PAGE), "exec"), names)  # noqa: S102  # the code on the page is under test
        names["engine"].connect().close()
        yield names
    finally:
        names["engine"].dispose()
        os.chdir(before)


class TestExample(StorageSuite):
    @pytest.fixture(autouse=True)
    def of_the_page(self, example: dict[str, Any]) -> None:
        self.suite = example["TestSqlStorage"]()

    def make_storage(self, uid: str) -> BaseStorageBackend:
        storage: BaseStorageBackend = self.suite.make_storage(uid)
        return storage

    def test_processes_that_hammer_one_session_lose_no_update(self, uid: str) -> None:
        code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
        Path("sql_example.py").write_text(f"{code}\n\nmake_storage = SqlStorage\n")
        folder = Path.cwd()
        env = os.environ | {"PYTHONPATH": os.pathsep.join([str(PAGE.parents[1]), str(folder)])}

        assert_no_update_is_lost("sql_example", self.make_storage(uid), 20, env, folder)

    def test_it_is_registered(self, uid: str) -> None:
        assert type(storage_backends.get("sqlalchemy", uid)) is type(self.make_storage(uid))


@pytest.mark.usefixtures("django")
def test_the_periodic_task_on_the_page_carries_out_what_is_due() -> None:
    """The session is new, and its delay of a millisecond is over when the task finds it in the cache's index."""
    names: dict[str, Any] = {"__name__": "beat"}
    exec(compile(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0], str(PAGE), "exec"), names)  # noqa: S102  # as above
    rule = {"after": ["a"], "run": "app.A", "delay": "1ms", "using": "threading"}
    manager = TriggerManager(CacheStorageBackend(uuid4().hex))
    rules: dict[str, Any] = {"$edition": 2, "t_a": rule}
    manager.update_configuration(rules)
    manager.fire("a")

    while manager.storage.instances["t_a#0"].status == "delayed":
        names["run_due"]()
        manager.storage.refresh()

    assert manager.storage.instances["t_a#0"].status == "scheduled"
