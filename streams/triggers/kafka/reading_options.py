"""Options of consumers whose readers rely on every record, and of readers that never commit."""

from __future__ import annotations

from typing import Final

from triggers.kafka.connection import Options, connection_options
from triggers.settings import Settings

RELIABLE: Final[Options] = {"auto.offset.reset": "error", "check.crcs": True, "isolation.level": "read_committed"}
"""The options of every consumer that must not skip, repeat or change a record. It is assigned at offsets and must not
choose others. A record with a wrong checksum is an error; by default librdkafka delivers it. Records of transactions
that are aborted or open are not delivered."""

_FETCHED_AHEAD_KB: Final = 16_384


def reader_options(settings: Settings) -> Options:
    """Returns the options of a consumer that reads committed records and never commits an offset."""
    return (
        connection_options(settings)
        | RELIABLE
        | {
            "group.id": f"{settings.namespace}.readers",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "queued.max.messages.kbytes": _FETCHED_AHEAD_KB,
        }
    )


def witness_options(settings: Settings) -> Options:
    """Returns the options with which a `Witness` connects. It adds those with which it reads."""
    return connection_options(settings) | {"group.id": f"{settings.namespace}.witness"}
