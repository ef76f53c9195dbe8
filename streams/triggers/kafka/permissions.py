"""The permissions that each process needs on Kafka, as precise access control lists.

The operations are those that Kafka checks. Kafka itself derives Describe from Read, Write and Delete, so it is named
only where it is all that is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from triggers.settings import Settings
from triggers.topology import Queue, Topology, parse_queues


class Process(StrEnum):
    """A kind of process with a principal of its own."""

    AGENT = "agent"
    CELERY = "celery"
    DISPATCHER = "dispatcher"
    HOOKS = "hooks"
    CONSOLE = "console"
    CLIENT = "client"
    API = "api"
    OPERATOR = "operator"
    REBUILD = "rebuild"
    COPY_SOURCE = "copy-source"
    COPY = "copy"
    RESERVE_OFFSETS = "reserve-offsets"


RECOVERY: Final = (Process.REBUILD, Process.COPY_SOURCE, Process.COPY, Process.RESERVE_OFFSETS)
"""The commands that write a changelog, or the offsets of the workers' group. They are needed once, after a disaster or
for a move, so nobody has their permissions unless an operator asks for them by name."""


class Resource(StrEnum):
    """The kind of a resource, as `kafka-acls.sh` names it in its options."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


@dataclass(frozen=True, slots=True)
class Permission:
    """Operations that a process needs on a resource, or on all resources whose names begin with a prefix."""

    resource: Resource
    name: str
    operations: tuple[str, ...]
    is_prefix: bool = False

    def __str__(self) -> str:
        """Returns the permission in words, such as `Read on topic t.events`."""
        return f"{', '.join(self.operations)} on {self.resource} {self.name}{'*' if self.is_prefix else ''}"


READ: Final = "Read"
WRITE: Final = "Write"
CREATE: Final = "Create"
DESCRIBE: Final = "Describe"
DELETE: Final = "Delete"
DESCRIBE_CONFIGS: Final = "DescribeConfigs"
ALTER_CONFIGS: Final = "AlterConfigs"


def permissions_of(process: Process, settings: Settings) -> list[Permission]:
    """Returns what a process needs. The settings decide about namespace, queues and decision feed.

    Raises SettingsError for the name of a queue.
    """
    return _PERMISSIONS[process](settings)


def merge_permissions(permissions: Iterable[Permission]) -> list[Permission]:
    """Returns the permissions with those of the same resource joined, in the order in which they first appear."""
    joined: dict[tuple[Resource, str, bool], dict[str, None]] = {}
    for each in permissions:
        joined.setdefault((each.resource, each.name, each.is_prefix), {}).update(dict.fromkeys(each.operations))
    return [
        Permission(resource, name, tuple(operations), is_prefix)
        for (resource, name, is_prefix), operations in joined.items()
    ]


def _of_agent(settings: Settings) -> list[Permission]:
    names = Topology(settings.namespace)
    return [
        _topic(names.events, READ, WRITE, DESCRIBE_CONFIGS),
        _topic(names.changelog, READ, WRITE, DESCRIBE_CONFIGS),
        _topic(names.commands, WRITE, DESCRIBE_CONFIGS),
        # By a creation that is only validated, the agent asks the controller whether a queue really has no topic.
        _topics(f"{names.commands}.", WRITE, DESCRIBE_CONFIGS, CREATE),
        _topic(names.dead_letters, WRITE, DESCRIBE_CONFIGS),
        *([_topic(names.decisions, WRITE, DESCRIBE_CONFIGS)] if settings.decisions else []),
        _group(names.agents, READ),
        *_readers(settings, "gap-reader", "restore", "probe"),
        # An agent aborts the transactions of agents that are gone, so it uses their transactional ids, too.
        Permission(Resource.TRANSACTIONAL_ID, f"{names.namespace}-", (WRITE,), is_prefix=True),
    ]


def _of_executor(settings: Settings) -> list[Permission]:
    names = Topology(settings.namespace)
    queues: Sequence[Queue] = parse_queues(settings.queue_names)
    return [
        *(_topic(names.commands_of(queue), READ) for queue in queues),
        _topic(names.events, WRITE),
        _topic(names.dead_letters, WRITE),
        *(_group(names.executors_of(queue), READ) for queue in queues),
        _group(names.agents, DESCRIBE),
        *_readers(settings, "gap-reader"),
    ]


def _of_hooks(settings: Settings) -> list[Permission]:
    names = Topology(settings.namespace)
    return [
        _topic(names.decisions, READ),
        _topic(names.events, WRITE),
        _topic(names.dead_letters, WRITE),
        _group(names.reader_group("hooks"), READ),
        _group(names.agents, DESCRIBE),
        *_readers(settings, "gap-reader", "readers"),
    ]


def _of_console(settings: Settings) -> list[Permission]:
    """Returns what the console needs: it reads, and measures the lag of the workers and of the executors."""
    names = Topology(settings.namespace)
    return [
        *(_topic(topic, READ) for topic in (names.events, names.commands, names.dead_letters, names.rules, names.jobs)),
        _topics(f"{names.commands}.", READ),
        _group(names.agents, DESCRIBE),
        _group(names.executors, DESCRIBE),
        Permission(Resource.GROUP, f"{names.executors}.", (DESCRIBE,), is_prefix=True),
        *_readers(settings, "gap-reader", "readers"),
    ]


def _of_client(settings: Settings) -> list[Permission]:
    names = Topology(settings.namespace)
    return [_topic(names.events, WRITE), _group(names.agents, DESCRIBE)]


def _of_api(settings: Settings) -> list[Permission]:
    """Returns what the HTTP API needs: it fires, reads, repairs, redrives and publishes rules."""
    names = Topology(settings.namespace)
    return [
        *(_topic(topic, READ, WRITE) for topic in (names.events, names.commands)),
        _topics(f"{names.commands}.", READ, WRITE),
        *(_topic(topic, READ, WRITE) for topic in (names.dead_letters, names.rules, names.jobs)),
        *([_topic(names.decisions, WRITE)] if settings.decisions else []),
        _group(names.agents, DESCRIBE),
        _group(names.executors, DESCRIBE),
        Permission(Resource.GROUP, f"{names.executors}.", (DESCRIBE,), is_prefix=True),
        *_readers(settings, "gap-reader", "readers"),
        *(
            Permission(Resource.TRANSACTIONAL_ID, topic, (WRITE,))
            for topic in (names.rules, names.dead_letters, names.jobs)
        ),
    ]


def _of_operator(settings: Settings) -> list[Permission]:
    """Returns what the API needs, and what it takes to create and check topics."""
    names = Topology(settings.namespace)
    topics = [names.events, names.changelog, names.commands, names.dead_letters, names.rules, names.jobs]
    topics += [names.decisions] if settings.decisions else []
    return merge_permissions(
        [
            *_of_api(settings),
            *(_topic(topic, CREATE, DESCRIBE_CONFIGS) for topic in topics),
            _topics(f"{names.commands}.", CREATE, DESCRIBE_CONFIGS),
            _topic(names.changelog, DESCRIBE),
        ]
    )


def _of_rebuild(settings: Settings) -> list[Permission]:
    names = Topology(settings.namespace)
    return [
        _topic(names.changelog, READ, WRITE),
        *(_topic(topic, READ) for topic in (names.events, names.dead_letters, names.rules)),
        _group(names.agents, DESCRIBE),
        *_readers(settings, "gap-reader", "readers"),
    ]


def _of_copy_source(settings: Settings) -> list[Permission]:
    """Returns what `triggers copy` needs in the installation that it reads, also to see that no process runs there."""
    names = Topology(settings.namespace)
    return [
        *(_topic(topic, READ) for topic in (names.events, names.dead_letters, names.rules)),
        _topics(f"{names.commands}.", DESCRIBE),  # a queue that it cannot see may have an executor that works
        _group(names.agents, DESCRIBE),
        _group(names.executors, DESCRIBE),
        Permission(Resource.GROUP, f"{names.executors}.", (DESCRIBE,), is_prefix=True),
        *_readers(settings, "gap-reader", "readers"),
    ]


def _of_copy(settings: Settings) -> list[Permission]:
    """Returns what `triggers copy` needs in the installation that it creates."""
    names = Topology(settings.namespace)
    written = (names.changelog, names.commands, names.dead_letters, names.rules)
    unwritten = (names.jobs, *((names.decisions,) if settings.decisions else ()))
    return [
        # Whoever commits an offset must be allowed to read the topic.
        _topic(names.events, CREATE, READ, WRITE, ALTER_CONFIGS),
        *(_topic(topic, CREATE, WRITE) for topic in written),
        _topics(f"{names.commands}.", CREATE, WRITE),
        *(_topic(topic, CREATE, DESCRIBE) for topic in unwritten),
        _group(names.agents, READ),
        *_readers(settings, "gap-reader", "readers"),  # it reads the last events back
    ]


def _of_reserve_offsets(settings: Settings) -> list[Permission]:
    names = Topology(settings.namespace)
    return [
        _topic(names.events, READ, WRITE, DELETE),
        _topic(names.changelog, READ),
        _group(names.agents, READ),
        *_readers(settings, "gap-reader", "readers"),
        Permission(Resource.TRANSACTIONAL_ID, names.reservation, (WRITE,)),
    ]


_PERMISSIONS: Final[dict[Process, Callable[[Settings], list[Permission]]]] = {
    Process.AGENT: _of_agent,
    Process.CELERY: _of_executor,
    Process.DISPATCHER: _of_executor,
    Process.HOOKS: _of_hooks,
    Process.CONSOLE: _of_console,
    Process.CLIENT: _of_client,
    Process.API: _of_api,
    Process.OPERATOR: _of_operator,
    Process.REBUILD: _of_rebuild,
    Process.COPY_SOURCE: _of_copy_source,
    Process.COPY: _of_copy,
    Process.RESERVE_OFFSETS: _of_reserve_offsets,
}


def _topic(name: str, *operations: str) -> Permission:
    return Permission(Resource.TOPIC, name, operations)


def _topics(prefix: str, *operations: str) -> Permission:
    return Permission(Resource.TOPIC, prefix, operations, is_prefix=True)


def _group(name: str, *operations: str) -> Permission:
    return Permission(Resource.GROUP, name, operations)


def _readers(settings: Settings, *names: str) -> list[Permission]:
    """Returns the permissions of readers that join no group: librdkafka looks up the coordinator of their group."""
    return [_group(f"{settings.namespace}.{name}", DESCRIBE) for name in names]
