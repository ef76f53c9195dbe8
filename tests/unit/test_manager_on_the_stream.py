"""A manager with hooks writes its key into the configuration, for the process that runs the hooks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.memory_stream import MemoryStream

from triggers import StreamStorage, TriggerManager
from triggers.core.events import ConfigurationUpdated
from triggers.registry import UnknownKey, trigger_managers

RULES = {"t_a": {"after": ["go"], "run": "app.a"}}


class Unregistered(TriggerManager):
    def _post_skip(self, task_instance: object, cascade: bool) -> None:
        """Overrides the hook."""


@trigger_managers.register("audit")
class Auditing(Unregistered):
    """A registered manager with a hook."""


def configured(kind: type[TriggerManager], **more: Any) -> dict[str, Any]:
    stream = MemoryStream()
    kind(StreamStorage("s1", publisher=stream, source=stream)).update_configuration(RULES | more)
    [(_, event)] = stream.published
    assert isinstance(event, ConfigurationUpdated)
    configuration: dict[str, Any] = json.loads(event.configuration)
    return configuration


def test_a_manager_with_hooks_is_named() -> None:
    assert configured(Auditing) == {"$manager": "audit", **RULES}


def test_a_manager_without_hooks_is_not_named() -> None:
    assert configured(TriggerManager) == RULES


def test_a_manager_that_the_application_names_is_kept() -> None:
    assert configured(Auditing, **{"$manager": "other"})["$manager"] == "other"


def test_a_manager_with_hooks_that_is_not_registered_is_refused() -> None:
    with pytest.raises(UnknownKey, match="not registered"):
        configured(Unregistered)
