"""Calls with wrong arguments are refused alike by every storage, with the value and the fix, and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from triggers import CacheStorageBackend, MemoryStorage, MemoryStorageBackend, StreamStorage, TriggerManager
from triggers.client import KafkaPublisher, SessionReader
from triggers.errors import CallError, TriggersError
from triggers.settings import Settings

NOBODY = Settings(brokers="127.0.0.1:1", publish_timeout_s=0.1, read_timeout_s=0.1)
"""If a wrong call reached Kafka, it would raise BrokerUnavailable, which is no CallError."""
STORAGES: dict[str, Callable[[Any], Any]] = {
    "stream": lambda uid: StreamStorage(uid, NOBODY),
    "memory of a process": MemoryStorageBackend,
    "memory of a test": MemoryStorage,
    "cache": CacheStorageBackend,
}
GUID = UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")
WRONG_UIDS: list[tuple[Any, str]] = [
    (None, "session UID: it must be a str, not NoneType"),
    (17, r"session UID: it must be a str, not int; pass str\(uid\)"),
    (GUID, "session UID: it must be a str, not UUID"),
    (b"o-1", "session UID: it must be a str, not bytes"),
    ("", "session UID: it has 0 bytes"),
    ("x" * 1025, "session UID: it has 1025 bytes"),
    ("\ud800", "session UID: surrogates not allowed"),
]
WRONG_FIRES: list[tuple[tuple[Any, ...], str]] = [
    ((None,), "trigger: it must be a str, not NoneType"),
    ((7,), "trigger: it must be a str, not int"),
    (("",), "trigger: it is empty"),
    (("x" * 1025,), "trigger is longer than 1024"),
    (("a", [1]), "trigger_kwargs: list cannot be JSON; it must be a mapping"),
    (("a", "b"), "trigger_kwargs: str cannot be JSON; it must be a mapping"),
    (("a", {"at": GUID}), r"trigger_kwargs\['at'\]: UUID cannot be JSON"),
    (("a", {"sum": Decimal("1.5")}), r"trigger_kwargs\['sum'\]: Decimal cannot be JSON"),
    (("a", {1: 2}), r"trigger_kwargs\[1\]: int cannot be JSON; a key must be a str"),
    (("a", {"x": float("nan")}), r"trigger_kwargs\['x'\]: nan cannot be JSON"),
    (("a", {"x": {1, 2}}), r"trigger_kwargs\['x'\]: set cannot be JSON; use a list"),
]
WRONG_RULES: list[tuple[Any, str]] = [
    ([], "configuration: list cannot be JSON; it must be a mapping, task name -> directives"),
    ([{"t_a": {"after": ["a"], "run": "x"}}], "configuration: list"),
    (None, "configuration: NoneType"),
    ("{}", "configuration: str"),
    ({"t_a": []}, "task 't_a'"),
    ({"t_a": None}, "task 't_a'"),
    ({"t_a": {"after": "a", "run": "x"}}, "task 't_a': 'after' must be a list of trigger names"),
    ({"t_a": {"run": "x"}}, "task 't_a': 'after' is missing"),
    ({"t_a": {"after": ["a"]}}, "task 't_a': 'run' is missing"),
    ({"$edition": 2, "t_a": {"after": ["a"], "run": "x", "untill": "1d"}}, "'untill' is not a key"),
    ({"$edition": 2, "t_a": {"after": ["a"], "run": "x", "dealy": "1d"}}, "did you mean 'delay'"),
]

pytestmark = pytest.mark.usefixtures("django")


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("uid", "message"), WRONG_UIDS)
def test_a_wrong_uid_is_refused(storage: str, uid: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(CallError, match=message):
        STORAGES[storage](uid)


@pytest.mark.parametrize(("uid", "message"), WRONG_UIDS)
def test_a_wrong_uid_is_refused_by_the_client(uid: Any, message: str) -> None:  # noqa: ANN401
    from triggers.core.events import TriggerFired  # noqa: PLC0415

    with pytest.raises(CallError, match=message):
        KafkaPublisher(NOBODY).publish(uid, TriggerFired(trigger="a"))
    with pytest.raises(TriggersError):
        SessionReader(NOBODY).read(uid)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("arguments", "message"), WRONG_FIRES)
def test_a_wrong_fire_is_refused(storage: str, arguments: tuple[Any, ...], message: str) -> None:
    manager = TriggerManager(STORAGES[storage](uuid4().hex))

    with pytest.raises(CallError, match=message):
        manager.fire(*arguments)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("rules", "message"), WRONG_RULES)
def test_wrong_rules_are_refused(storage: str, rules: Any, message: str) -> None:  # noqa: ANN401
    manager = TriggerManager(STORAGES[storage](uuid4().hex))

    with pytest.raises(CallError, match=message):
        manager.update_configuration(rules)
