"""A manager with hooks writes its key into the configuration, for the process that runs the hooks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triggers import StreamStorage, TriggerManager
from triggers.client import Coordinates
from triggers.core.events import ConfigurationUpdated, Event
from triggers.core.view import SessionView
from triggers.registry import UnknownKey, trigger_managers

RULES = {"t_a": {"after": ["go"], "run": "app.a"}}


class Published:
    """A publisher and a source that record the configurations that are written."""

    def __init__(self) -> None:
        self.configurations: list[dict[str, Any]] = []

    def publish(self, uid: str, event: Event) -> Coordinates:  # noqa: ARG002  # one session
        assert isinstance(event, ConfigurationUpdated)
        self.configurations.append(json.loads(event.configuration))
        return Coordinates(0, 0)

    def read(self, uid: str, after: Coordinates | None = None) -> SessionView:
        raise NotImplementedError


class Unregistered(TriggerManager):
    def _post_skip(self, task_instance: object, cascade: bool) -> None:
        """Overrides the hook."""


@trigger_managers.register("audit")
class Auditing(Unregistered):
    """A registered manager with a hook."""


def configured(kind: type[TriggerManager], **more: Any) -> dict[str, Any]:  # JSON
    published = Published()
    kind(StreamStorage("s1", publisher=published, source=published)).update_configuration(RULES | more)
    return published.configurations[0]


def test_a_manager_with_hooks_is_named() -> None:
    assert configured(Auditing) == {"$manager": "audit", **RULES}


def test_a_manager_without_hooks_is_not_named() -> None:
    assert configured(TriggerManager) == RULES


def test_a_manager_that_the_application_names_is_kept() -> None:
    assert configured(Auditing, **{"$manager": "other"})["$manager"] == "other"


def test_a_manager_with_hooks_that_is_not_registered_is_refused() -> None:
    with pytest.raises(UnknownKey, match="not registered"):
        configured(Unregistered)
