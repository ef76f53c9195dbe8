"""A real Kafka with TLS, SCRAM, OAUTHBEARER, mutual TLS and an authorizer that allows only what its ACLs say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from tests.support.certificates import Authority

from triggers.dev.broker import SHORT_LIVED, LocalKafka
from triggers.dev.ports import free_ports
from triggers.kafka.permissions import Permission, Process, Resource
from triggers.settings import Settings

PASSWORD = "s3cr3t-of-scram"  # noqa: S105  # it opens a broker of the tests
USERS = (*(process.value for process in Process), "nobody")
_JAAS = "org.apache.kafka.common.security"
_TYPES = {
    Resource.TOPIC: ResourceType.TOPIC,
    Resource.GROUP: ResourceType.GROUP,
    Resource.TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
}
_AUDITED = re.compile(
    r"Principal = User:(\S+) is (Allowed|Denied) operation = (\w+) from host = \S+ on resource = (\w+):LITERAL:(\S+)"
)


Audited = tuple[str, str, str, str]
"""User, operation, kind and name of what the authorizer was asked for."""

SettingsFor = Callable[[str], Settings]
"""Returns the settings with which a user connects."""


class SecuredKafka:
    """One broker. Its plaintext listener is for the tests themselves: who connects there may do everything."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        plain, controller, sasl, mtls = free_ports(4)
        self.log = folder / "broker.log"
        self._kafka = LocalKafka(
            log=self.log,
            ports=(plain, controller),
            properties=self._properties(plain, controller, sasl, mtls),
            java_options=SHORT_LIVED,
            format_options=[part for user in USERS for part in ("--add-scram", _scram(user))],
            loggers={"kafka.authorizer.logger": "DEBUG"},
        )
        self.plain, self.sasl, self.mtls = f"127.0.0.1:{plain}", f"localhost:{sasl}", f"localhost:{mtls}"
        self._admin: AdminClient | None = None

    def start(self) -> None:
        """Starts the broker and waits until it answers."""
        self._kafka.start()
        self._admin = AdminClient({"bootstrap.servers": self.plain})

    def restart(self) -> None:
        """Kills the broker and starts it again with its data, so that it ends all connections."""
        self._kafka.restart()

    def stop(self) -> None:
        """Stops the broker and removes its data."""
        self._kafka.stop()

    @property
    def admin(self) -> AdminClient:
        """A client that may do everything."""
        assert self._admin is not None
        return self._admin

    def allow(self, user: str, permissions: Iterable[Permission]) -> None:
        """Allows a user these operations. Blocks until the broker has them."""
        bindings = [binding for permission in permissions for binding in bindings_of(user, permission)]
        for future in self.admin.create_acls(bindings).values():
            future.result()

    def forbid(self, user: str, permission: Permission) -> None:
        """Removes the ACLs of these operations."""
        filters = [_filter_of(binding) for binding in bindings_of(user, permission)]
        for future in self.admin.delete_acls(filters).values():
            future.result()

    def audited(self, verdict: str) -> set[Audited]:
        """Returns user, operation, kind and name of everything that the authorizer has `Allowed` or `Denied`."""
        found = _AUDITED.findall(self.log.read_text(errors="replace"))
        return {(user, operation, kind, name) for user, said, operation, kind, name in found if said == verdict}

    def settings(self, user: str, namespace: str, folder: Path) -> Settings:
        """Returns the settings with which a user connects by SCRAM over TLS. `folder` gets a file of the password."""
        password = folder / "password"
        if not password.exists():  # a process that reads it now would find it empty
            password.write_text(PASSWORD)
        return Settings(
            brokers=self.sasl,
            namespace=namespace,
            partitions=2,
            data_dir=folder / "data",
            web_port=0,
            read_timeout_s=60.0,
            publish_timeout_s=60.0,
            kafka_security_protocol="SASL_SSL",
            kafka_sasl_mechanism="SCRAM-SHA-512",
            kafka_username=user,
            kafka_password_file=str(password),
            kafka_ca_file=str(self.authority.certificate),
        )

    def _properties(self, plain: int, controller: int, sasl: int, mtls: int) -> Mapping[str, str]:
        certificate, key = self.authority.issue("broker", host="localhost")
        pem = self.authority.folder / "broker.pem"
        pem.write_text(key.read_text() + certificate.read_text())
        secured = f"SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{mtls}"
        return {
            "listeners": f"PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},{secured}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},{secured.replace('127.0.0.1', 'localhost')}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
            "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config": (
                f'{_JAAS}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(pem),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.certificate),
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }


def bindings_of(user: str, permission: Permission) -> list[AclBinding]:
    """Returns the ACLs of a permission, one for each operation."""
    pattern = ResourcePatternType.PREFIXED if permission.is_prefix else ResourcePatternType.LITERAL
    return [
        AclBinding(
            _TYPES[permission.resource],
            permission.name,
            pattern,
            f"User:{user}",
            "*",
            AclOperation[_constant(operation)],
            AclPermissionType.ALLOW,
        )
        for operation in permission.operations
    ]


_KINDS = {Resource.TOPIC: "Topic", Resource.GROUP: "Group", Resource.TRANSACTIONAL_ID: "TransactionalId"}


def single_operations(permissions: Iterable[Permission]) -> Iterator[Permission]:
    """Yields each operation of permissions by itself, as far as brokers tell about them."""
    for permission in permissions:
        if permission.resource is not Resource.TRANSACTIONAL_ID:
            for operation in permission.operations:
                yield replace(permission, operations=(operation,))


def is_used(allowed: Iterable[Audited], user: str, permission: Permission, operation: str) -> bool:
    """Returns whether the authorizer has allowed a user one operation of a permission."""
    return any(
        (who, done, kind) == (user, _constant(operation), _KINDS[permission.resource])
        and (name == permission.name or (permission.is_prefix and name.startswith(permission.name)))
        for who, done, kind, name in allowed
    )


def _filter_of(acl: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        acl.restype,
        acl.name,
        acl.resource_pattern_type,
        acl.principal,
        acl.host,
        acl.operation,
        acl.permission_type,
    )


def _constant(operation: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()


def _scram(user: str) -> str:
    return f"SCRAM-SHA-512=[name={user},password={PASSWORD}]"
