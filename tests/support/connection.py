"""The variables with which a process of a test connects to the brokers of its settings."""

from __future__ import annotations

from triggers.settings import PREFIX, Settings

_NAMES = [name for name in Settings.__struct_fields__ if name.startswith("kafka_")]


def connection_variables(settings: Settings) -> dict[str, str]:
    """Returns `TRIGGERS_BROKERS`, the namespace and what is set of `TRIGGERS_KAFKA_*`."""
    secured = {f"{PREFIX}{name.upper()}": str(getattr(settings, name)) for name in _NAMES if getattr(settings, name)}
    return {"TRIGGERS_BROKERS": settings.brokers, "TRIGGERS_NAMESPACE": settings.namespace, **secured}
