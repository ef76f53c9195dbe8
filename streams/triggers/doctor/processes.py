"""Checks that there are processes for everything: agents for partitions, executors for queues, rules for sessions."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final

from confluent_kafka import KafkaException

from triggers.client.owners import Owners
from triggers.client.published_rules import StreamRules
from triggers.doctor.findings import MAX_CLOCK_DIFFERENCE_S, DoctorVerdict, Finding
from triggers.errors import OwnerUnavailable
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.topics import existing_queues
from triggers.settings import Settings
from triggers.topology import Queue, Topology, queue_title

_TIMEOUT_S: Final = 10.0
_ANSWER_S: Final = 3.0


def check_rules(settings: Settings) -> Iterator[Finding]:
    """Checks whether rules are published. Applications may also give each session its own. Blocks."""
    published = sorted({event.name for event in StreamRules(settings).publications()})
    if published:
        yield Finding("rules", DoctorVerdict.OK, f"published: {', '.join(published)}")
    else:
        fix = "triggers rules publish NAME FILE, unless applications configure each session"
        yield Finding("rules", DoctorVerdict.WARNING, "no rules are published", fix)


def check_agents(settings: Settings) -> Iterator[Finding]:
    """Checks that every partition of the events has a worker. Blocks. Raises BrokerUnavailable."""
    try:
        urls = Owners(settings).urls_of_workers()
    except OwnerUnavailable as error:
        yield Finding("agents", DoctorVerdict.PROBLEM, str(error).partition(":")[0], "start workers: triggers worker")
        return
    yield Finding("agents", DoctorVerdict.OK, f"every partition has a worker; {len(urls)} of them: {', '.join(urls)}")


def check_clocks(settings: Settings) -> Iterator[Finding]:
    """Compares the clocks of the workers' machines with that of this machine, by HTTP. Blocks."""
    try:
        urls = Owners(settings).urls_of_workers()
    except OwnerUnavailable:
        return
    for url in urls:
        skew_s = _skew_s(url)
        if skew_s is None:
            fix = "set TRIGGERS_ADVERTISED_URL of the worker to an address that other machines reach"
            yield Finding("clocks", DoctorVerdict.UNKNOWN, f"{url} does not answer", fix)
        elif abs(skew_s) > MAX_CLOCK_DIFFERENCE_S:
            fix = "set the clocks of all machines by a time service"
            yield Finding("clocks", DoctorVerdict.PROBLEM, f"{url} differs by {skew_s:.0f} s from this machine", fix)
        else:
            yield Finding("clocks", DoctorVerdict.OK, f"{url} agrees with this machine")


def _skew_s(url: str) -> float | None:
    """Returns how far the clock of a worker is ahead, or None if it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/live", timeout=_ANSWER_S) as answer:  # noqa: S310  # Kafka has the URL
            date = answer.headers["Date"]
    except OSError:
        return None
    return parsedate_to_datetime(date).timestamp() - time.time() if date else None


def check_executors(settings: Settings) -> Iterator[Finding]:
    """Checks that every queue has a Celery worker or a dispatcher. Blocks. Raises BrokerUnavailable."""
    names, admin = Topology(settings.namespace), admin_client(settings)
    try:
        queues: list[Queue] = [None, *existing_queues(settings, admin)]
        groups = admin.describe_consumer_groups(
            [names.executors_of(queue) for queue in queues], request_timeout=_TIMEOUT_S
        )
        members = {queue: len(groups[names.executors_of(queue)].result().members) for queue in queues}
    except KafkaException as error:
        raise unavailable(settings, error) from error
    for queue, count in members.items():
        title = queue_title(queue)
        if count:
            yield Finding("executors", DoctorVerdict.OK, f"queue {title}: processes that take its commands: {count}")
        else:
            fix = f"start `celery -A app worker` with TRIGGERS_QUEUES={title}, or `triggers dispatcher`"
            yield Finding("executors", DoctorVerdict.PROBLEM, f"queue {title}: no process takes its commands", fix)
