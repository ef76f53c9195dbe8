"""Quix Streams, exactly once: a row of state and an output for every event. It needs a separate environment."""

from __future__ import annotations

import sys

from quixstreams import Application, State

_COMMIT_EVERY = 4000


def main(brokers: str, namespace: str, folder: str) -> None:
    """Runs until it is killed."""
    app = Application(
        broker_address=brokers,
        consumer_group=f"{namespace}-quix",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=_COMMIT_EVERY,
        commit_interval=1.0,
        state_dir=folder,
        loglevel="ERROR",
    )
    source = app.topic(f"{namespace}.events", key_deserializer="bytes", value_deserializer="bytes")
    commands = app.topic(f"{namespace}.commands", key_serializer="bytes", value_serializer="bytes")
    app.dataframe(source).apply(_remember, stateful=True).to_topic(commands)
    app.run()


def _remember(page: bytes, state: State) -> bytes:
    state.set("number", state.get("number", 0) + 1)
    state.set_bytes("latest", page)
    return page


if __name__ == "__main__":
    main(*sys.argv[1:])
