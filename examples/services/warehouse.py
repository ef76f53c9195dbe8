"""The warehouse. Its workers take the commands of the queue `warehouse`.

celery -A services.warehouse worker
"""

from __future__ import annotations

from celery import Celery

import triggers.celery

app = Celery("warehouse", broker="none://")
triggers.celery.install(app, queues=["warehouse"])


@app.task(name="warehouse.reserve")
def reserve(items: list[str]) -> dict[str, object]:
    """Puts the items of an order aside."""
    return {"parcel": sorted(items)}


@app.task(name="warehouse.ship")
def ship(parcel: list[str], receipt: str) -> dict[str, str]:
    """Hands a parcel over and returns the number to follow it by."""
    return {"tracking": f"{receipt}/{len(parcel)}"}
