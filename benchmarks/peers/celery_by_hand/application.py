"""What has fired is counted by hand in Redis. Celery over the same Redis runs the tasks.

A session is a hash with what is known of it, and a list of the pages that wait for the subject. A page and the end of
`import_subject` each look at both in one MULTI, so no page is forgotten between them. Nothing guards the rest: an
application that dies between Redis and `delay` loses the task, and so does a worker that dies with one.
"""

from __future__ import annotations

import json
import os
from typing import Any

from celery import Celery
from redis import Redis

from benchmarks.peers.tally import count_task

URL = os.environ["PEERS_REDIS"]

app = Celery("by_hand", broker=URL)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=100, broker_connection_retry_on_startup=True)
redis = Redis.from_url(URL, decode_responses=True)

Json = dict[str, Any]


def fire(session: str, event: Json, _last: int) -> None:
    """Records a trigger and enqueues the tasks for which it was the last one."""
    trigger, kwargs = event["trigger"], event.get("kwargs", {})
    if trigger == "pageReceived":
        receive_page(session, kwargs)
    elif trigger == "isEmbeddedApplication":
        redis.hset(session, "embedded", "1")
    else:
        complete(session, trigger, kwargs)


def receive_page(session: str, page: Json) -> None:
    """Lets the page wait. If the subject is there, enqueues the tasks of all waiting pages."""
    with redis.pipeline() as both:
        both.rpush(f"{session}/pages", json.dumps(page))
        both.hget(session, "subject")
        _, subject = both.execute()
    if subject:
        enqueue_pages(session, json.loads(subject))


def complete(session: str, trigger: str, kwargs: Json) -> None:
    """Enqueues the import of the subject once both of its triggers have fired."""
    with redis.pipeline() as both:
        both.hset(session, trigger, json.dumps(kwargs))
        both.hmget(session, "firstPageReceived", "questionnaireComplete")
        _, (first_page, completed) = both.execute()
    if first_page and completed and redis.hsetnx(session, "subject started", "1"):
        import_subject.delay(session, json.loads(first_page))


def enqueue_pages(session: str, subject: Json) -> None:
    """Takes the waiting pages and enqueues their tasks, and that of the browser with the first of them."""
    with redis.pipeline() as both:
        both.lrange(f"{session}/pages", 0, -1)
        both.delete(f"{session}/pages")
        both.hmget(session, "embedded", "browser started")
        pages, _, (embedded, browser_started) = both.execute()
    for page in map(json.loads, pages):
        import_responses.delay(session, page, subject)
    if pages and not embedded and not browser_started and redis.hsetnx(session, "browser started", "1"):
        import_browser_metadata.delay(session, json.loads(pages[0]), subject)


@app.task
def import_subject(session: str, _first_page: Json) -> None:
    """The task that completion runs. Its last act is to let the pages go on."""
    count_task(session, "subject")
    subject = {"subjectId": 42}
    redis.hset(session, "subject", json.dumps(subject))
    enqueue_pages(session, subject)


@app.task
def import_responses(session: str, page: Json, _subject: Json) -> None:
    """The task that every page runs."""
    count_task(session, "responses", page["responses"]["page"], page["at"])


@app.task
def import_browser_metadata(session: str, _page: Json, _subject: Json) -> None:
    """The task that runs once, unless the application is embedded."""
    count_task(session, "browser")
