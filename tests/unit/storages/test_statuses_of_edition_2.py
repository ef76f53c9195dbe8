"""What may become of expired and cancelled instances, with every storage alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.support.memory_stream import MemoryStream
from tests.unit.storages.conftest import RecordingManager, RecordingRunner

from triggers import CacheStorageBackend, MemoryStorage, MemoryStorageBackend, StreamStorage, TriggerManager
from triggers.core.events import TimerFired
from triggers.errors import WrongStatus
from triggers.storages.contract import Storage

RULES: dict[str, Any] = {
    "$edition": 2,
    "t_quote": {"after": ["asked", "answered"], "run": "app.Quote", "deadline": "1h"},
    "t_pack": {"after": ["paid"], "run": "app.Pack", "cancelOn": ["withdrawn"]},
    "t_wait": {"after": ["asked"], "run": "app.Wait", "delay": "1d"},
    "t_gift": {"after": ["birthday"], "run": "app.Gift", "optional": True},
    "t_gone": {"after": ["never"], "run": "app.Gone"},
}


def _stream(uid: str) -> Storage:
    stream = MemoryStream()
    return StreamStorage(uid, publisher=stream, source=stream)


@pytest.fixture(params=[MemoryStorage, MemoryStorageBackend, CacheStorageBackend, _stream])
def manager(
    request: pytest.FixtureRequest,
    django: None,  # noqa: ARG001  # set up first
    runner: type[RecordingRunner],  # noqa: ARG001  # it is the default one
) -> Iterator[TriggerManager]:
    """A session in which `t_quote#0` has expired, `t_pack#0` is cancelled and `t_wait#0` is delayed."""
    make: Callable[[str], Storage] = request.param
    manager = RecordingManager(make(uuid4().hex))
    manager.update_configuration(RULES)
    manager.fire("asked", {"n": 1})
    timers = manager.storage.read().instances[0].timers
    late = TimerFired(instance="t_quote#0", attempt=0, kind="deadline", due=timers["deadline"], time=timers["deadline"])
    manager.storage.write(late)
    manager.fire("paid")
    manager.fire("withdrawn")
    assert _statuses(manager) == {"t_quote#0": "expired", "t_pack#0": "cancelled", "t_wait#0": "delayed"}
    yield manager
    MemoryStorageBackend.clear()


def _statuses(manager: TriggerManager) -> dict[str, str]:
    manager.storage.refresh()
    return {each.name: each.status for each in manager.storage.iter_instances()}


def test_they_are_resolved(manager: TriggerManager) -> None:
    assert [each.name for each in manager.get_unresolved_instances()] == ["t_wait#0"]
    assert [each.name for each in manager.get_unresolved_tasks()] == ["t_wait", "t_gone"]
    view = manager.storage.read()
    assert (view.unresolved_instances, view.unresolved_tasks) == (["t_wait#0"], ["t_wait", "t_gone"])
    assert view.edition == 2


@pytest.mark.parametrize("name", ["t_quote#0", "t_pack#0"])
def test_they_can_be_replayed(manager: TriggerManager, name: str) -> None:
    assert manager.storage[name].can_replay

    manager.replay_failed_instance(name)

    task, statuses = name.partition("#")[0], _statuses(manager)
    assert (statuses[name], statuses[f"{task}#1"]) == ("replayed", "scheduled")
    with pytest.raises(WrongStatus, match="in replayed state cannot be replayed"):
        manager.replay_failed_instance(name)


@pytest.mark.parametrize("name", ["t_quote#0", "t_pack#0", "t_wait#0"])
def test_they_cannot_be_skipped(manager: TriggerManager, name: str) -> None:
    before = _statuses(manager)

    with pytest.raises(WrongStatus, match=f"in {before[name]} state cannot be skipped"):
        manager.skip_failed_instance(name)

    assert not manager.storage[name].can_skip
    assert _statuses(manager) == before


def test_a_delayed_instance_cannot_be_replayed(manager: TriggerManager) -> None:
    with pytest.raises(WrongStatus, match="in delayed state cannot be replayed"):
        manager.replay_failed_instance("t_wait#0")


@pytest.mark.parametrize("status", ["finished", "failed", "parked", "scheduled"])
@pytest.mark.parametrize("name", ["t_quote#0", "t_pack#0"])
def test_they_keep_their_status_unless_the_application_forces_another(
    manager: TriggerManager, name: str, status: str
) -> None:
    with pytest.raises(WrongStatus, match="without force"):
        manager.update_instance_status(name, status)

    assert manager.update_instance_status(name, "parked", force=True).status == "parked"


@pytest.mark.parametrize("status", ["delayed", "expired", "cancelled", "scheduled"])
def test_only_the_engine_sets_what_timers_and_commands_follow_from(manager: TriggerManager, status: str) -> None:
    with pytest.raises(WrongStatus, match=f'cannot be set to "{status}" without force'):
        manager.update_instance_status("t_wait#0", status)


def test_a_delayed_instance_waits_like_an_unstarted_one(manager: TriggerManager) -> None:
    assert manager.update_instance_status("t_wait#0", "abandoned").status == "abandoned"

    assert manager.storage.read().instances[1].timers == {}


def test_edition_1_leaves_these_words_to_the_application() -> None:
    manager = TriggerManager(MemoryStorage("s1"))
    manager.update_configuration({"t_a": {"after": ["go"], "run": "app.A", "optional": True}})
    assert [each.name for each in manager.get_unresolved_tasks()] == ["t_a"]
    manager.fire("go")

    assert manager.update_instance_status("t_a#0", "cancelled").status == "cancelled"

    assert [each.name for each in manager.get_unresolved_instances()] == ["t_a#0"]
    with pytest.raises(WrongStatus):
        manager.replay_failed_instance("t_a#0")
    assert manager.update_instance_status("t_a#0", "finished").status == "finished"
