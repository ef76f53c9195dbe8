"""A result backend that does not come back from storing a success."""

from __future__ import annotations

import time
from typing import Any

from celery import states
from celery.backends.base import BaseBackend


class StuckBackend(BaseBackend):  # type: ignore[misc]  # Celery carries no types
    """Stores nothing. The process that stores a success waits until it is killed."""

    def _store_result(self, _task_id: str, _result: object, state: str, *_: Any, **__: Any) -> None:
        if state == states.SUCCESS:
            time.sleep(600)

    def _get_task_meta_for(self, _task_id: str) -> dict[str, object]:
        return {"status": states.PENDING, "result": None}
