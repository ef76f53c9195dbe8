"""Publishes the events of operators with their actor."""

from __future__ import annotations

import getpass
import socket

from triggers.client import KafkaPublisher
from triggers.settings import Settings


def actor_name(settings: Settings) -> str:
    """Returns the name of the operator who runs the command: TRIGGERS_ACTOR, or the user and the host."""
    if settings.actor:
        return settings.actor
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that no user has
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def operator_publisher(settings: Settings) -> KafkaPublisher:
    """Returns a publisher whose operators' events have the actor."""
    return KafkaPublisher(settings, source="cli", actor=actor_name(settings))
