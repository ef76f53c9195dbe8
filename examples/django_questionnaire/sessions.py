"""The trigger session of a questionnaire, in the storage that the settings choose."""

from __future__ import annotations

from django.conf import settings

from triggers import TriggerManager
from triggers.manager import trigger_managers
from triggers.storages import storage_backends


def get_trigger_manager(uid: str) -> TriggerManager:
    """Returns the session's manager."""
    storage = storage_backends.get(settings.TRIGGER_STORAGE_TYPE, uid)
    manager: TriggerManager = trigger_managers.get(settings.TRIGGER_MANAGER_TYPE, storage)
    return manager
