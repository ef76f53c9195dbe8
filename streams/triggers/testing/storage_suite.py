"""A pytest suite for embedded storages: what every storage must do.

class TestMyStorage(StorageSuite):
    def make_storage(self, uid):
        return MyStorage(uid)
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import Any
from uuid import uuid4

import pytest

from triggers.codec import encode_object
from triggers.core.events import ConfigurationUpdated, TaskFailed, TaskFinished, TaskStarted, TriggerFired
from triggers.errors import LockAcquisitionFailed
from triggers.manager import TriggerManager
from triggers.storages.base import BaseStorageBackend

_WRITERS = 4
_WRITES = 10
_ODD: dict[str, Any] = {"": None, "ünï/x:y": [1.5, 2**53, "", {"deep": [[], {}]}], "page": {"empty": {}, "no": False}}


class StorageSuite:
    """Subclass it to test a storage. Sessions have random names, so the backend need not be empty."""

    @abstractmethod
    def make_storage(self, uid: str) -> BaseStorageBackend:
        """Returns a new storage object for the session."""

    @pytest.fixture
    def uid(self) -> str:
        """The UID of a new session."""
        return uuid4().hex

    def test_a_session_in_which_nothing_happened_is_empty(self, uid: str) -> None:
        """It has no tasks and no instances, and reading it raises no error."""
        storage = self.make_storage(uid)

        assert (storage.tasks, storage.instances, storage.latest_kwargs) == ({}, {}, {})

    def test_what_one_object_saves_another_one_loads(self, uid: str) -> None:
        """This holds for configuration, instances, latest kwargs and timestamps."""
        first = self.make_storage(uid)
        _configure(first)
        first.write(TriggerFired(trigger="a", kwargs=b'{"n": 1}'))

        second = self.make_storage(uid)

        assert second.debug_repr()["instances"] == first.debug_repr()["instances"]
        assert second.debug_repr()["tasks"] == first.debug_repr()["tasks"]
        assert second.latest_kwargs == {"a": {"n": 1}}

    def test_the_order_of_tasks_and_instances_is_kept(self, uid: str) -> None:
        """A backend that sorts keys must keep it, too, because ready tasks run in the order of their declaration."""
        names = [f"t_{letter}" for letter in "zaymb"]
        rules = {name: {"after": ["a"], "andEvery": "a", "run": "app.Task"} for name in names}
        TriggerManager(self.make_storage(uid)).update_configuration(rules | _NEVER)
        for _ in range(11):
            self.make_storage(uid).write(TriggerFired(trigger="a"))

        storage = self.make_storage(uid)

        assert list(storage.tasks) == [*names, *_NEVER]
        assert list(storage.instances)[:6] == [*(f"{name}#0" for name in names), "t_z#1"]
        assert list(storage.instances_of_task("t_z"))[9:] == ["t_z#9", "t_z#10"]

    def test_what_is_due_is_carried_out_by_run_due(self, uid: str) -> None:
        """Rules of edition 2 are stored whole: delays, and what waiting instances hold."""
        manager = TriggerManager(self.make_storage(uid))
        rule = {"after": [{"any": ["card", "cash"]}], "run": "app.A", "delay": "1ms", "using": "nobody's"}
        self.make_storage(uid).write(
            ConfigurationUpdated(configuration=encode_object({"$edition": 2, "t_a": rule}, "rules"))
        )
        manager.fire("cash", {"amount": 3})

        while not manager.run_due():  # until the millisecond is over
            pass

        instance = self.make_storage(uid).instances["t_a#0"]
        assert (instance.status, instance.kwargs) == ("scheduled", {"cash": {"amount": 3}})

    def test_payloads_come_back_unchanged(self, uid: str) -> None:
        """The payloads contain null, odd names, numbers and empty values."""
        manager = TriggerManager(self.make_storage(uid))
        manager.update_configuration({"t_a": {"after": ["", "b"], "run": "app.A", "ours": _ODD}})

        manager.storage.write(TriggerFired(trigger="", kwargs=_json(_ODD)))

        storage = self.make_storage(uid)
        assert storage["t_a#0"].kwargs == {"": _ODD}
        assert storage.tasks["t_a"].extra == {"ours": _ODD}

    def test_sessions_do_not_see_each_other(self, uid: str) -> None:
        """Events in one session leave the others empty."""
        _configure(self.make_storage(uid))

        assert self.make_storage(uid + "'").tasks == {}
        assert self.make_storage(uid[:-1]).tasks == {}

    def test_a_life_with_a_failure_a_replay_and_a_cascade(self, uid: str) -> None:
        """Each step uses its own storage object, as web requests and workers do."""
        _configure(self.make_storage(uid))
        self.make_storage(uid).write(TriggerFired(trigger="a"))
        self.make_storage(uid).write(TaskStarted(instance="t_a#0", attempt=1))
        self.make_storage(uid).write(TaskFailed(instance="t_a#0", attempt=1, exception_type="app.Broken"))
        TriggerManager(self.make_storage(uid)).update_instance_metadata("t_a#0", {"ticket": 7})

        self.make_storage(uid).write(TriggerFired(trigger="a", kwargs=b'{"late": true}', id="e1"))
        self.make_storage(uid).write(TriggerFired(trigger="a", kwargs=b'{"again": true}', id="e1"))

        storage = self.make_storage(uid)
        assert storage["t_a#0"].metadata["ticket"] == 7
        assert storage["t_a#0"].metadata["exceptionType"] == "app.Broken"
        assert storage.latest_kwargs == {"a": {"late": True}}
        assert [task.name for task in storage.get_unresolved_tasks()] == ["t_a", "t_b"]

    def test_the_first_result_of_an_attempt_counts(self, uid: str) -> None:
        """The attempt's result is saved, so that a second delivery is stale."""
        _configure(self.make_storage(uid))
        self.make_storage(uid).write(TriggerFired(trigger="a"))
        self.make_storage(uid).write(TaskFinished(instance="t_a#0", attempt=1, result=b'{"n": 1}'))
        self.make_storage(uid).write(TaskFinished(instance="t_a#0", attempt=1, result=b'{"n": 2}'))

        storage = self.make_storage(uid)

        assert storage["t_a#0"].metadata["result"] == {"n": 1}
        assert list(storage.instances) == ["t_a#0", "t_b#0"]

    def test_saving_needs_the_lock(self, uid: str) -> None:
        """Changes that were not saved are lost."""
        storage = self.make_storage(uid)
        storage.update_configuration(_RULES)

        with pytest.raises(RuntimeError, match="acquire_lock"):
            storage.save()

        assert self.make_storage(uid).tasks == {}

    def test_objects_changed_by_hand_are_saved(self, uid: str) -> None:
        """The lock must be held, and `save` be called."""
        _configure(self.make_storage(uid))
        with self.make_storage(uid).acquire_lock() as storage:
            storage.create_instance("t_a", kwargs={"a": {"n": 1}})
            storage.metadata["ours"] = ["x"]
            storage.save()

        again = self.make_storage(uid)

        assert (again["t_a#0"].kwargs, again.metadata["ours"]) == ({"a": {"n": 1}}, ["x"])

    def test_a_held_lock_is_refused_to_a_caller_that_does_not_wait(self, uid: str) -> None:
        """The holder may acquire it again."""
        with self.make_storage(uid).acquire_lock() as holder:
            with pytest.raises(LockAcquisitionFailed), self.make_storage(uid).acquire_lock(block=False):
                pass
            with holder.acquire_lock(block=False):
                assert holder.has_lock
        assert not holder.has_lock

    def test_threads_that_write_one_session_lose_no_update(self, uid: str) -> None:
        """Each write uses its own storage object."""
        TriggerManager(self.make_storage(uid)).update_configuration(_NEVER)
        threads = [threading.Thread(target=self._write_many, args=(uid, name)) for name in "abcd"[:_WRITERS]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        written = {instance.kwargs["page"]["of"] for instance in self.make_storage(uid)}

        assert written == {f"{name}{n}" for name in "abcd"[:_WRITERS] for n in range(_WRITES)}

    def _write_many(self, uid: str, name: str) -> None:
        for number in range(_WRITES):
            self.make_storage(uid).write(TriggerFired(trigger="page", kwargs=_json({"of": f"{name}{number}"})))


_RULES: dict[str, dict[str, Any]] = {
    "t_a": {"after": ["a"], "run": "app.A"},
    "t_b": {"after": ["t_a"], "run": "app.B", "withParams": {"t_a": {"x": 1}}},
}
_NEVER: dict[str, dict[str, Any]] = {"t_page": {"after": ["never"], "andEvery": "page", "run": "app.Page"}}


def _configure(storage: BaseStorageBackend) -> None:
    TriggerManager(storage).update_configuration(_RULES)


def _json(value: dict[str, Any]) -> bytes:
    return encode_object(value, "value")
