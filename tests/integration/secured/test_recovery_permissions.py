"""`rebuild`, `copy` and `reserve-offsets` work with exactly the permissions that are printed for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from confluent_kafka import Producer
from msgspec import structs
from tests.support.questionnaires import Application
from tests.support.secured_flow import cli
from tests.support.secured_kafka import PASSWORD, SecuredKafka, SettingsFor, is_used, single_operations
from tests.support.topic_reader import wait_until
from tests.support.worked_installation import work

from triggers.kafka.denials import denied_error, find_denied
from triggers.kafka.group_offsets import members_of_groups
from triggers.kafka.permissions import RECOVERY, Permission, Process, Resource, permissions_of
from triggers.settings import Settings
from triggers.topology import Topology

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

OLD, NEW = Topology("recovered"), Topology("recovered-new")
QUEUED = {"$edition": 2, "t_gpu": {"after": ["go"], "run": "app.gpu", "queue": "gpu"}}


@dataclass(frozen=True)
class Installation:
    """An installation on the secured broker that nobody works on, and what the commands have done to it."""

    kafka: SecuredKafka
    plain: Settings
    """Settings with which the tests may do everything."""
    settings_for: SettingsFor
    results: dict[str, Result]
    allowed: set[tuple[str, str, str, str]]
    denied: set[tuple[str, str, str, str]]

    def run(self, process: Process) -> Result:
        """Runs the command that needs the permissions of a process, as its user."""
        return COMMANDS[process](self)

    def copy(self) -> Result:
        """Copies it with a user for the old installation, and another one for the new one."""
        source = self.settings_for(Process.COPY_SOURCE).kafka_config_file
        options = ("--partitions", "3", "--from-kafka-config-file", source, "--json")
        return cli(self.settings_for(Process.COPY), "copy", OLD.namespace, *options)

    def remove(self, *topics: str) -> None:
        """Deletes the topics that exist, and waits until they are gone."""
        listed = self.kafka.admin.list_topics(timeout=30).topics
        existing = [topic for topic in topics if topic in listed]
        for future in (self.kafka.admin.delete_topics(existing) if existing else {}).values():
            future.result(30)
        wait_until(lambda: not set(topics) & set(self.kafka.admin.list_topics(timeout=30).topics), "they are gone")

    def remove_copy(self) -> None:
        """Deletes everything in the new namespace."""
        listed = self.kafka.admin.list_topics(timeout=30).topics
        self.remove(*(topic for topic in listed if topic.startswith(f"{NEW.namespace}.")))
        groups = [group.group_id for group in self.kafka.admin.list_consumer_groups().result().valid or ()]
        if NEW.agents in groups:
            self.kafka.admin.delete_consumer_groups([NEW.agents])[NEW.agents].result(30)


COMMANDS: dict[Process, Callable[[Installation], Result]] = {
    Process.REBUILD: lambda it: cli(it.settings_for(Process.REBUILD), "rebuild", "--json"),
    Process.COPY_SOURCE: Installation.copy,
    Process.COPY: Installation.copy,
    Process.RESERVE_OFFSETS: lambda it: cli(it.settings_for(Process.RESERVE_OFFSETS), "reserve-offsets", "--json"),
}


@pytest.fixture(scope="module")
def installation(secured: SecuredKafka, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Runs each of the commands once, as a user with its permissions only."""
    folder = tmp_path_factory.mktemp("recovered")
    plain = Settings(brokers=secured.plain, namespace=OLD.namespace, partitions=2, data_dir=folder, web_port=0)
    work(plain)
    _leave_work(plain)

    def settings_for(user: str) -> Settings:
        names = NEW if user == Process.COPY else OLD
        return replace_security(secured.settings(user, names.namespace, folder), folder)

    for process in RECOVERY:
        secured.allow(process, permissions_of(process, settings_for(process)))
    made = Installation(secured, plain, settings_for, {}, set(), set())
    wait_until(lambda: not members_of_groups(plain, [OLD.agents]), "the group has forgotten the worker")
    for process in (Process.REBUILD, Process.COPY):
        made.results[process] = made.run(process)
    made.remove(OLD.events)
    create_missing(plain)
    made.results[Process.RESERVE_OFFSETS] = made.run(Process.RESERVE_OFFSETS)
    users = set(map(str, RECOVERY))
    for verdict, audited in (("Allowed", made.allowed), ("Denied", made.denied)):
        audited |= {each for each in secured.audited(verdict) if each[0] in users}
    return made


def _leave_work(plain: Settings) -> None:
    """Fires what no worker has applied, a command for a queue among it, and damages the changelog."""
    create_queue(plain)
    application = Application(plain)
    application.fire("queued", {"configuration": QUEUED})
    application.fire("queued", {"trigger": "go"})
    application.flush()
    producer = Producer({"bootstrap.servers": plain.brokers})
    producer.produce(OLD.changelog, b"\x80", b"i-superfluous", 0)
    assert producer.flush(60) == 0


def create_queue(plain: Settings) -> None:
    assert cli(plain, "topics", "create", "--queue", "gpu").exit_code == 0


def create_missing(plain: Settings) -> None:
    assert cli(plain, "topics", "create").exit_code == 0


def replace_security(settings: Settings, folder: Path) -> Settings:
    """Returns the settings with the user, the password and the authority in a file of properties."""
    file = folder / f"{settings.kafka_username}.properties"
    file.write_text(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
        f"sasl.username={settings.kafka_username}\nsasl.password={PASSWORD}\nssl.ca.location={settings.kafka_ca_file}\n"
    )
    return structs.replace(settings.without_security(), kafka_config_file=str(file), decisions=True)


def test_the_commands_need_no_other_permissions(installation: Installation) -> None:
    assert {name: (done.exit_code, done.stderr) for name, done in installation.results.items() if done.exit_code} == {}
    assert installation.denied == set()


@pytest.mark.parametrize("process", RECOVERY)
def test_every_permission_of_a_command_is_used(installation: Installation, process: Process) -> None:
    unused = {
        (permission.name, operation)
        for permission in permissions_of(process, installation.settings_for(process))
        for operation in permission.operations
        if not is_used(installation.allowed, process, permission, operation)
    }

    assert unused == set()


def _single(process: Process) -> Iterator[tuple[Process, Permission]]:
    """Returns every single operation of a command that brokers tell about."""
    names = NEW if process is Process.COPY else OLD
    permissions = permissions_of(process, Settings(namespace=names.namespace, decisions=True))
    return ((process, permission) for permission in single_operations(permissions))


@contextmanager
def _without(installation: Installation, process: Process, permission: Permission) -> Iterator[Settings]:
    settings = installation.settings_for(process)
    installation.kafka.forbid(process, permission)
    try:
        yield settings
    finally:
        installation.kafka.allow(process, [permission])


SINGLE = [each for process in RECOVERY for each in _single(process)]


@pytest.mark.parametrize(("process", "permission"), SINGLE, ids=str)
def test_each_missing_permission_of_a_command_is_named(
    installation: Installation, process: Process, permission: Permission
) -> None:
    with _without(installation, process, permission) as settings:
        wait_until(lambda: find_denied(settings, process) == [permission], f"{permission} is found missing")
        told = str(denied_error(settings, process, [permission]))
    wait_until(lambda: find_denied(settings, process) == [], f"{permission} is granted")

    assert f" does not permit {permission}: grant" in told
    assert f"--process {process}`" in told


MISSING = [
    (Process.REBUILD, Permission(Resource.TOPIC, OLD.changelog, ("Write",))),
    (Process.COPY_SOURCE, Permission(Resource.TOPIC, f"{OLD.commands}.", ("Describe",), is_prefix=True)),
    (Process.COPY, Permission(Resource.TOPIC, NEW.events, ("Create",))),
    (Process.COPY, Permission(Resource.TOPIC, NEW.events, ("AlterConfigs",))),
    (Process.COPY, Permission(Resource.TOPIC, NEW.changelog, ("Write",))),
    (Process.RESERVE_OFFSETS, Permission(Resource.TOPIC, OLD.events, ("Delete",))),
    (Process.RESERVE_OFFSETS, Permission(Resource.TRANSACTIONAL_ID, OLD.reservation, ("Write",))),
]


@pytest.mark.parametrize(("process", "permission"), MISSING, ids=str)
def test_a_command_without_a_permission_names_it_in_one_line_and_does_nothing(
    installation: Installation, process: Process, permission: Permission
) -> None:
    if process is Process.COPY:
        installation.remove_copy()
    if process is Process.RESERVE_OFFSETS:
        installation.remove(OLD.events)
        create_missing(installation.plain)

    with _without(installation, process, permission):
        done = installation.run(process)

    assert done.exit_code == 2, done.output
    assert f"does not permit {permission}: " in done.stderr
    assert done.stderr.count("\n") == 1
    assert PASSWORD not in done.stderr
