"""Runs a dispatcher for the tests' Celery app."""

from __future__ import annotations

import logging
import sys

from tests.support.celery_tasks import app

from triggers.celery.dispatcher import run_dispatcher

if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    sys.exit(run_dispatcher(app))
