"""A Celery app whose task fails for some cards while their service is down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery

import triggers.celery

app = Celery("shop", broker="none://")
triggers.celery.install(app)


class CardServiceDown(Exception):
    """The service of a bank does not answer."""


@app.task(name="shop.charge")
def charge(orderPlaced: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # a trigger
    """Charges an order. The test decides whether the service of the second bank answers."""
    if orderPlaced["bank"] == "second" and Path(os.environ["TEST_OUTAGE"]).exists():
        raise CardServiceDown("bank 'second' answered 503")
    return {"charged": orderPlaced["total"]}
