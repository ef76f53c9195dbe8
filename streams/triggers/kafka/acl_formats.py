"""Writes the permissions of a process as commands of `kafka-acls.sh` or as a `KafkaUser` of Strimzi."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Final

from triggers.errors import CallError
from triggers.kafka.permissions import Permission, Resource

_STRIMZI_TYPES: Final = {
    Resource.TOPIC: "topic",
    Resource.GROUP: "group",
    Resource.TRANSACTIONAL_ID: "transactionalId",
}
_USER: Final = "User:"


def kafka_acls_commands(principal: str, permissions: Sequence[Permission], brokers: str) -> str:
    """Returns one command for each permission. It connects to `brokers` as a file `admin.properties` says."""
    return "\n".join(shlex.join(_command(principal, permission, brokers)) for permission in permissions)


def _command(principal: str, permission: Permission, brokers: str) -> list[str]:
    pattern = ["--resource-pattern-type", "prefixed"] if permission.is_prefix else []
    return [
        *("kafka-acls.sh", "--bootstrap-server", brokers, "--command-config", "admin.properties", "--add"),
        *("--allow-principal", principal),
        *(part for operation in permission.operations for part in ("--operation", operation)),
        *(f"--{permission.resource}", permission.name),
        *pattern,
    ]


def strimzi_user(principal: str, permissions: Sequence[Permission], authentication: str) -> str:
    """Returns a `KafkaUser` in YAML. `authentication` is Strimzi's type, such as `scram-sha-512` or `tls`.

    Strimzi calls the operations by the same names. Raises CallError for a principal that is no user.
    """
    if not principal.startswith(_USER):
        raise CallError(f"the principal {principal!r} must be User:<name>, because a KafkaUser is a user")
    rules = "\n".join(_rule(permission) for permission in permissions)
    return f"""apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaUser
metadata:
  name: {json.dumps(principal.removeprefix(_USER))}
  labels:
    strimzi.io/cluster: my-cluster  # the name of your Kafka resource
spec:
  authentication:
    type: {authentication}
  authorization:
    type: simple
    acls:
{rules}"""


def _rule(permission: Permission) -> str:
    pattern = "prefix" if permission.is_prefix else "literal"
    return f"""      - resource:
          type: {_STRIMZI_TYPES[permission.resource]}
          name: {json.dumps(permission.name)}
          patternType: {pattern}
        operations: [{", ".join(permission.operations)}]"""
