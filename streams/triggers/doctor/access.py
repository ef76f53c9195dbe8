"""Checks the permissions of a process: those that brokers describe, and that for transactional ids by using one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from confluent_kafka import KafkaException, Producer

from triggers.doctor.findings import DoctorVerdict, Finding
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import client_options, unavailable
from triggers.kafka.denials import find_denied
from triggers.kafka.error_codes import NOT_PERMITTED
from triggers.kafka.permissions import Permission, Process, Resource, permissions_of
from triggers.settings import Settings

_TIMEOUT_S: Final = 10.0
_TRIED: Final = "doctor"
"""The end of the transactional id that is tried. No process uses it, so none is fenced."""


def check_access(settings: Settings, process: Process) -> Iterator[Finding]:
    """Yields a problem for each missing permission. Blocks. Raises BrokerUnavailable."""
    try:
        denied = [*find_denied(settings, process), *_denied_transactions(settings, process)]
    except KafkaException as error:
        raise unavailable(settings, error) from error
    principal = f"User:{settings.kafka_username or 'NAME'}"
    fix = f"grant what `triggers topics acls --principal {principal} --process {process}` prints"
    for permission in denied:
        yield Finding("permissions", DoctorVerdict.PROBLEM, f"the {process} lacks {permission}", fix)
    if not denied:
        yield Finding("permissions", DoctorVerdict.OK, f"{process}: nothing is missing, as far as the brokers report")


def _denied_transactions(settings: Settings, process: Process) -> Iterator[Permission]:
    for permission in permissions_of(process, settings):
        if permission.resource is Resource.TRANSACTIONAL_ID and permission.is_prefix:
            try:
                start_and_end(settings, f"{permission.name}{_TRIED}", _TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() not in NOT_PERMITTED:
                    raise
                yield permission


def start_and_end(settings: Settings, transactional_id: str, timeout_s: float) -> None:
    """Registers a producer with the id and writes nothing. Blocks. Raises KafkaException.

    A producer that already uses the id is fenced, so pass an id that nobody uses.
    """
    options = client_options(settings, ClientKind.PRODUCER, {"transactional.id": transactional_id})
    Producer(options).init_transactions(timeout_s)
