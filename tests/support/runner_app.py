"""A Celery app whose workers know the tasks of `triggers.testing`."""

from __future__ import annotations

import os
from importlib import import_module

from celery import Celery

from triggers.testing import PassThruTask

import_module("django").setup()

app = Celery("runner", broker=os.environ["TEST_REDIS_URL"])
app.conf.update(broker_connection_retry_on_startup=True, task_default_queue=os.environ["TEST_QUEUE"])

__all__ = ["PassThruTask", "app"]
