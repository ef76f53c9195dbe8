"""Finds out which of a process's permissions the brokers do not grant, so that a message can name the missing ACL.

An error of Kafka names neither the operation nor, mostly, the resource. But the description of a topic or a group has
the operations that the client may perform on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from enum import Enum
from typing import Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription, TopicDescription

from triggers.errors import AccessDenied
from triggers.kafka.connection import admin_client
from triggers.kafka.error_codes import NOT_PERMITTED, is_transient
from triggers.kafka.permissions import (
    ALTER_CONFIGS,
    CREATE,
    DESCRIBE_CONFIGS,
    Permission,
    Process,
    Resource,
    permissions_of,
)
from triggers.settings import Settings

_TIMEOUT_S: Final = 10.0
_ANY: Final = "any-name"
"""End of a name that probably does not exist. A client that may describe names with the prefix learns that; any other
client is refused."""

_WITHOUT_DESCRIBE: Final = frozenset({ALTER_CONFIGS, CREATE, DESCRIBE_CONFIGS})
"""The operations that a client without Describe is taken to have. Every other operation includes Describe, so the
client lacks it. Whether it has these is unknown, so they are not called missing."""
Granted = frozenset[str] | None
"""The operations that the client may perform on a resource, or None if the brokers do not tell."""

_Description = TopicDescription | ConsumerGroupDescription


def check_permissions(settings: Settings, process: Process) -> None:
    """Raises AccessDenied, with the missing ACLs in one line, if the brokers do not permit what the process needs.

    Create is not needed, because operators may prefer that only they may create topics. Blocks. Does nothing if no
    broker answers, because the caller's next request fails then, with the reason.
    """
    try:
        denied = find_denied(settings, process)
    except KafkaException:
        return
    needed = [replace(each, operations=tuple(o for o in each.operations if o != CREATE)) for each in denied]
    if needed := [permission for permission in needed if permission.operations]:
        raise denied_error(settings, process, needed)


def denied_error(settings: Settings, process: Process, denied: Iterable[Permission]) -> AccessDenied:
    """Returns the error that names the missing ACLs, and the command that prints all of them."""
    missing = "; ".join(map(str, denied))
    principal = f"User:{settings.kafka_username or 'NAME'}"
    fix = f"grant what `triggers topics acls --principal {principal} --process {process}` prints"
    return AccessDenied(f"Kafka at {settings.shown_brokers} does not permit {missing}: {fix}")


def find_denied(settings: Settings, process: Process) -> list[Permission]:
    """Returns what the process needs and the brokers do not grant, as far as they tell. Blocks. Raises KafkaException.

    They tell nothing about transactional ids, and only about Describe for topics and groups that do not exist yet.
    """
    admin = admin_client(settings)
    permissions = permissions_of(process, settings)
    topics = _names(permissions, Resource.TOPIC, admin.list_topics(timeout=_TIMEOUT_S).topics)
    groups = _names(permissions, Resource.GROUP, ())
    return [
        *_missing(topics, _ask(admin, topics, _describe_topics)),
        *_missing(groups, _ask(admin, groups, _describe_groups)),
    ]


def _names(
    permissions: Sequence[Permission], resource: Resource, existing: Iterable[str]
) -> dict[Permission, list[str]]:
    """Returns the names to ask for: that of the permission, or names with its prefix."""
    known = list(existing)
    return {
        permission: [permission.name]
        if not permission.is_prefix
        else [*(name for name in known if name.startswith(permission.name)), f"{permission.name}{_ANY}"]
        for permission in permissions
        if permission.resource is resource
    }


def _ask(
    admin: AdminClient,
    wanted: Mapping[Permission, list[str]],
    describe: Callable[[AdminClient, list[str]], Mapping[str, Future[_Description]]],
) -> dict[str, Granted]:
    names = sorted({name for each in wanted.values() for name in each})
    return {name: _granted(future) for name, future in describe(admin, names).items()} if names else {}


def _missing(wanted: Mapping[Permission, list[str]], granted: Mapping[str, Granted]) -> list[Permission]:
    """Returns the permissions that are not granted in full, each with its missing operations only."""
    missing = [
        replace(permission, operations=tuple(o for o in permission.operations if _is_denied(o, names, granted)))
        for permission, names in wanted.items()
    ]
    return [permission for permission in missing if permission.operations]


def _is_denied(operation: str, names: Iterable[str], granted: Mapping[str, Granted]) -> bool:
    return any((operations := granted.get(name)) is not None and operation not in operations for name in names)


def _describe_topics(admin: AdminClient, names: list[str]) -> Mapping[str, Future[_Description]]:
    described: Mapping[str, Future[_Description]] = admin.describe_topics(
        TopicCollection(names), include_authorized_operations=True, request_timeout=_TIMEOUT_S
    )
    return described


def _describe_groups(admin: AdminClient, names: list[str]) -> Mapping[str, Future[_Description]]:
    described: Mapping[str, Future[_Description]] = admin.describe_consumer_groups(
        names, include_authorized_operations=True, request_timeout=_TIMEOUT_S
    )
    return described


def _granted(future: Future[_Description]) -> Granted:
    try:
        operations = future.result().authorized_operations
    except KafkaException as error:
        cause: KafkaError = error.args[0]
        if cause.code() in NOT_PERMITTED:
            return _WITHOUT_DESCRIBE
        if is_transient(cause) and cause.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise
        return None  # it does not exist
    return frozenset(map(_name_of, operations)) if operations else None


def _name_of(operation: Enum) -> str:
    """Returns the operation as Kafka's tools write it, such as DescribeConfigs."""
    return "".join(part.capitalize() for part in operation.name.split("_"))
