"""Unmodified Faust: an agent that writes a table row and sends an output for every event. It applies no rules."""

from __future__ import annotations

import sys

import faust

from triggers.topology import Topology

_PARTITIONS = 8


def main(brokers: str, namespace: str, folder: str) -> None:
    """Runs until it is killed."""
    names = Topology(namespace)
    app = faust.App(
        f"{namespace}-faust",
        broker=f"kafka://{brokers}",
        store="rocksdb://",
        datadir=folder,
        topic_partitions=_PARTITIONS,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
    )
    source = app.topic(names.events, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    commands = app.topic(names.commands, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    latest = app.Table("latest", key_type=bytes, value_type=bytes, partitions=_PARTITIONS)

    @app.agent(source)
    async def agent(events: faust.StreamT[bytes]) -> None:
        async for session, page in events.items():
            number = int.from_bytes((latest.get(session) or b"\0\0\0\0")[:4], "big") + 1
            latest[session] = number.to_bytes(4, "big") + page
            await commands.send(key=session, value=page)

    sys.argv[1:] = ["worker", "--loglevel=warn", "--without-web"]
    app.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
