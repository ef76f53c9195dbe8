"""The mail room. It has a Celery broker of its own, and a dispatcher moves the commands of the queue `mail` into it.

TRIGGERS_QUEUES=mail triggers dispatcher -A services.mail
celery -A services.mail worker -Q letters
"""

from __future__ import annotations

import os

from celery import Celery

import triggers.celery

app = Celery("mail", broker=os.environ.get("MAIL_BROKER", "redis://localhost:6379"))
triggers.celery.install(app, consume=False)


@app.task(name="mail.confirm", queue="letters", priority=3, expires=86_400)
def confirm(to: str, tracking: str) -> dict[str, str]:
    """Tells a customer that the parcel is on its way. Celery's options decide the queue in Redis."""
    return {"sent": f"{to}: {tracking}"}
