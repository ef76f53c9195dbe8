"""Options of consumers that must deliver every record: of group members, and of readers that never commit."""

from __future__ import annotations

from typing import Final

from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import Options, client_options
from triggers.settings import Settings

RELIABLE: Final[Options] = {"auto.offset.reset": "error", "check.crcs": True, "isolation.level": "read_committed"}
"""The options of every consumer that must not skip, repeat or change a record. It is assigned at offsets and must not
choose others. A record with a wrong checksum is an error; by default librdkafka delivers it. Records of transactions
that are aborted or open are not delivered."""
READ_ONLY: Final[Options] = RELIABLE | {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
}
"""The options of a reliable consumer that joins no group and never commits an offset."""
_FETCHED_AHEAD_KB: Final = 16_384
_MAX_HEARTBEAT_MS: Final = 3_000


def group_options(settings: Settings, group: str, session_timeout_s: float, more: Options) -> Options:
    """Returns the options of a reliable consumer that joins a group, with `more`. It commits only on request."""
    session_ms = int(session_timeout_s * 1000)
    membership: Options = {
        "group.id": group,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": session_ms,
        "heartbeat.interval.ms": min(_MAX_HEARTBEAT_MS, session_ms // 3),
    }
    return client_options(settings, ClientKind.CONSUMER, RELIABLE | membership | more)


def reader_options(settings: Settings, more: Options | None = None) -> Options:
    """Returns the options of a consumer that reads committed records, with `more`. It never commits an offset."""
    ours: Options = {"queued.max.messages.kbytes": _FETCHED_AHEAD_KB, "group.id": f"{settings.namespace}.readers"}
    return client_options(settings, ClientKind.CONSUMER, READ_ONLY | ours | (more or {}))


def gap_reader_options(settings: Settings) -> Options:
    """Returns the options with which a `GapReader` connects. It adds those with which it reads."""
    return client_options(settings, ClientKind.CONSUMER, {"group.id": f"{settings.namespace}.gap-reader"})
