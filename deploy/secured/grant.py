"""Creates the users of the profile `secured`, each with exactly the permissions of `triggers topics acls`.

A user is a kind of process. It runs as Kafka's administrator, in a container of the image:

python grant.py FOLDER-OF-PASSWORDS PROCESS…
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from triggers.kafka.connection import admin_client
from triggers.kafka.permissions import Permission, Process, permissions_of
from triggers.settings import Settings

_SCRAM = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192)


def main(folder: Path, processes: Iterable[Process]) -> None:
    """Creates or changes the users. Running it again changes nothing. Raises KafkaException."""
    settings = Settings.from_env()
    admin = admin_client(settings)
    for process in processes:
        password = (folder / f"{process}-password").read_bytes().strip()
        permissions = permissions_of(process, settings)
        _wait(
            admin.alter_user_scram_credentials([UserScramCredentialUpsertion(process.value, _SCRAM, password)]).values()
        )
        _wait(admin.create_acls([acl for each in permissions for acl in _acls(process.value, each)]).values())
        print(f"{process}: {'; '.join(map(str, permissions))}")  # noqa: T201  # the log of the container


def _acls(user: str, permission: Permission) -> Iterable[AclBinding]:
    pattern = ResourcePatternType.PREFIXED if permission.is_prefix else ResourcePatternType.LITERAL
    for operation in permission.operations:
        yield AclBinding(
            ResourceType[_constant(permission.resource)],
            permission.name,
            pattern,
            f"User:{user}",
            "*",
            AclOperation[_constant(operation)],
            AclPermissionType.ALLOW,
        )


def _constant(name: str) -> str:
    """Returns the name of an enumeration's member, such as DESCRIBE_CONFIGS for DescribeConfigs."""
    words = "".join(f"-{letter}" if letter.isupper() else letter for letter in name)
    return words.lstrip("-").replace("-", "_").upper()


def _wait(futures: Iterable[Future[Any]]) -> None:
    for future in futures:
        future.result(30)


if __name__ == "__main__":
    main(Path(sys.argv[1]), map(Process, sys.argv[2:]))
