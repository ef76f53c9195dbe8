"""The billing service. Its workers take the commands of the queue `billing`.

celery -A services.billing worker
"""

from __future__ import annotations

from celery import Celery

import triggers.celery

app = Celery("billing", broker="none://")
triggers.celery.install(app, queues=["billing"])


@app.task(name="billing.charge")
def charge(order: str, amount: int) -> dict[str, str]:
    """Charges an order and returns the number of its receipt."""
    return {"receipt": f"{order}/{amount}"}
