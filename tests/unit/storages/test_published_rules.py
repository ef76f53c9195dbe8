"""Published rules for embedded storages: the same call as on the stream, and the same sessions."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from triggers import MemoryStorage, MemoryStorageBackend, TriggerManager, publish_rules
from triggers.core.state.rows import CATALOG
from triggers.core.view import RulesView
from triggers.errors import CallError, InvalidConfiguration, NotSupported, RulesLocked, UnknownRules
from triggers.storages.published_rules import MemoryRules, RulesFile, RulesFunction, RulesRegistry, use_rules

PICK = {"t_pick": {"after": [], "andEvery": "picked", "run": "app.pick"}}
SEND = {"t_send": {"after": ["packed"], "run": "app.send"}}


@pytest.fixture(params=["memory", "file"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RulesRegistry]:
    with use_rules(MemoryRules() if request.param == "memory" else RulesFile(tmp_path / "rules.jsonl")) as registry:
        yield registry
    MemoryStorageBackend.clear()


class QuietManager(TriggerManager):
    """Leaves the instances in the outbox, because the tests run no tasks."""

    def deliver(self) -> list[str]:
        return []


@pytest.fixture(params=[MemoryStorage, MemoryStorageBackend])
def storage_class(request: pytest.FixtureRequest) -> type[MemoryStorage | MemoryStorageBackend]:
    kind: type[MemoryStorage | MemoryStorageBackend] = request.param
    return kind


@pytest.mark.usefixtures("registry")
def test_a_session_runs_its_first_event_by_published_rules(
    storage_class: type[MemoryStorage | MemoryStorageBackend],
) -> None:
    publish_rules("order", PICK, match=["order-*"])
    storage = storage_class("order-1")

    for _ in range(3):
        QuietManager(storage).fire("picked")

    assert [instance.name for instance in storage.iter_instances()] == ["t_pick#0", "t_pick#1", "t_pick#2"]
    assert storage.read().rules == RulesView(name="order", version=1)


@pytest.mark.usefixtures("registry")
def test_a_session_adopts_a_version_and_keeps_instances_of_a_task_that_is_gone(
    storage_class: type[MemoryStorage | MemoryStorageBackend],
) -> None:
    publish_rules("order", PICK, is_default=True)
    storage = storage_class("s")
    manager = QuietManager(storage)
    manager.fire("picked")
    manager.update_instance_status("t_pick#0", "finished", force=True)

    publish_rules("order", SEND, is_default=True, existing="adopt")
    manager.fire("packed")

    assert [instance.name for instance in storage_class.iter_instances(storage)] == ["t_pick#0", "t_send#0"]
    assert list(storage.tasks) == ["t_send"]
    assert storage.read().rules == RulesView(name="order", version=2)
    storage.invalidate_cache()
    assert storage["t_pick#0"].config.name == "t_pick"


@pytest.mark.usefixtures("registry")
def test_rules_are_named_or_locked_as_on_the_stream() -> None:
    publish_rules("order", PICK, locked=True)
    manager = QuietManager(MemoryStorageBackend("s"))

    with pytest.raises(UnknownRules, match="nobody has published rules with the name 'orders'"):
        manager.fire("picked", rules="orders")
    manager.fire("picked", rules="order")

    with pytest.raises(RulesLocked, match="are locked"):
        manager.update_configuration(SEND)


@pytest.mark.usefixtures("registry")
def test_an_embedded_storage_stores_a_session_of_edition_2_without_the_published_rules() -> None:
    pick = {"after": [{"any": ["picked", "packed"]}], "run": "app.pick", "delay": "1h"}
    waits: dict[str, Any] = {"$edition": 2, "t_pick": pick}
    publish_rules("order", waits, is_default=True)
    publish_rules("other", SEND)
    QuietManager(MemoryStorageBackend("s")).fire("picked")

    publish_rules("order", waits | SEND, is_default=True, existing="adopt")
    QuietManager(MemoryStorageBackend("s")).fire("packed")

    storage = MemoryStorageBackend("s")
    assert {each.name: each.status for each in storage} == {"t_pick#0": "delayed", "t_send#0": "scheduled"}
    assert storage.read().rules == RulesView(name="order", version=2)
    kept = [b64decode(key)[:1] for key in storage.metadata["engine"]["rows"]]
    assert (kept.count(CATALOG), kept.count(b"c")) == (0, 1)  # not the version before, either


@pytest.mark.usefixtures("registry")
def test_an_embedded_storage_refuses_to_begin_with_published_rules_that_it_cannot_carry_out() -> None:
    queued: dict[str, Any] = {"$edition": 2, "t_pick": PICK["t_pick"] | {"queue": "slow"}}
    publish_rules("order", queued, is_default=True)

    with pytest.raises(InvalidConfiguration, match="'queue': 'slow': an embedded storage has no queues"):
        QuietManager(MemoryStorageBackend("s")).fire("picked")


class Defaulted(MemoryStorageBackend):
    """A storage with a default configuration."""

    def _load_default_configuration(self) -> dict[str, dict[str, object]]:
        return {"t_default": {"after": ["picked"], "run": "app.default"}}


@pytest.mark.usefixtures("registry")
def test_published_rules_come_before_the_default_configuration_of_a_storage() -> None:
    publish_rules("order", PICK, match=["order-*"])

    QuietManager(Defaulted("order-1")).fire("picked")
    QuietManager(Defaulted("other-1")).fire("picked")

    assert list(Defaulted("order-1").instances) == ["t_pick#0"]
    assert list(Defaulted("other-1").instances) == ["t_default#0"]


def test_publishing_again_changes_nothing_and_other_rules_are_the_next_version(registry: RulesRegistry) -> None:
    first = publish_rules("order", PICK, match=["order-*"])
    assert first is not None

    assert publish_rules("order", PICK, match=["order-*"]) is None
    with pytest.raises(InvalidConfiguration, match="'run' is missing"):
        publish_rules("order", {"t": {"after": []}})
    with pytest.raises(CallError, match="match must be a list of UIDs and patterns, not 'order-\\*'"):
        publish_rules("order", PICK, match="order-*")
    second = publish_rules("order", PICK | SEND)

    assert second is not None
    assert [event.version for event in registry.publications()] == [1, 2]


def test_another_process_sees_what_a_file_has_and_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.jsonl"
    reader = RulesFile(path)
    assert reader.publications() == ()

    with use_rules(RulesFile(path)):
        publish_rules("order", PICK)
    assert [event.name for event in reader.publications()] == ["order"]

    path.write_bytes(path.read_bytes() + b'{"trigger": "x"}\n')
    with pytest.raises(CallError, match="line 2: it has no published rules"):
        reader.publications()


def test_a_function_of_the_application_keeps_the_rules_itself() -> None:
    kept = MemoryRules()
    with use_rules(kept):
        publish_rules("order", PICK, is_default=True)

    with use_rules(RulesFunction(kept.publications)):
        with pytest.raises(NotSupported, match="a function keeps the published rules"):
            publish_rules("order", SEND)
        storage = MemoryStorage("s")
        TriggerManager(storage).fire("picked")

    assert storage.read().rules == RulesView(name="order", version=1)
