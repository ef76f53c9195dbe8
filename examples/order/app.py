"""The Celery app: its tasks, and the line that makes its workers take commands from Kafka."""

from __future__ import annotations

from typing import Any

from celery import Celery

import triggers.celery

app = Celery("orders", broker="none://")
triggers.celery.install(app)


@app.task(name="app.charge")
def charge(orderPlaced: dict[str, Any], cardEntered: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # triggers
    """Runs when the order was placed and the card was entered, in any order. Its result fires `t_charge`."""
    return {"amount": orderPlaced["total"], "card": cardEntered["last4"]}


@app.task(name="app.ship")
def ship(t_charge: dict[str, Any]) -> dict[str, Any]:
    """Runs with the result of the charge."""
    return {"parcel": f"parcel for {t_charge['amount']}"}


@app.task(name="app.remind")
def remind(orderPlaced: dict[str, Any]) -> None:  # noqa: N803  # a trigger
    """Runs a quarter of an hour after the order, unless the card was entered by then."""
    print(f"please enter your card: {orderPlaced['total']} are due")
