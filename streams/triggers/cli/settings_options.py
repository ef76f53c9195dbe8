"""Options for settings. Each has the name and meaning of a field of `Settings` and its `TRIGGERS_*` variable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from triggers.settings import PREFIX, Settings
from triggers.topology import Topology

F = TypeVar("F", bound=Callable[..., Any])


def setting(name: str, text: str, flag: str = "") -> Callable[[F], F]:
    """Add the option `--a-b`, or `flag`, for the field `a_b`. The command gets its value from `command_settings`.

    The help text is `text`, followed by the default of the field unless that is empty.
    """

    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.ensure_object(dict)[name] = value

    flag, variable = flag or f"--{name.replace('_', '-')}", PREFIX + name.upper()
    default = getattr(Settings(), name)
    if default not in {"", Path()}:
        text = f"{text} Default: {default}."
    return click.option(
        flag, envvar=variable, show_envvar=True, help=text, callback=keep, expose_value=False, metavar="VALUE"
    )


def command_settings(ctx: click.Context, **overrides: object) -> Settings:
    """Return the settings of a command: those of the environment, overridden by its options. Raises SettingsError."""
    return Settings.from_env(**{**(ctx.obj or {}), **overrides})


def service_settings(ctx: click.Context, **overrides: object) -> Settings:
    """Return the settings of a process that waits for Kafka, which must be able to exist. Raises SettingsError."""
    from triggers.kafka.reachability import check_names  # noqa: PLC0415  # the client takes a while to import

    settings = command_settings(ctx, **overrides)
    check_names(settings)
    return settings


def kafka_settings(ctx: click.Context, *topics: str) -> Settings:
    """Return the settings of a command, after checking that a broker answers and that the events' topic exists.

    `topics` replace the events' topic; they are names of attributes of `Topology`. Raises SettingsError,
    BrokerUnavailable, TopicMissing.
    """
    settings = command_settings(ctx)
    require_kafka(settings, *topics)
    return settings


def require_kafka(settings: Settings, *topics: str) -> None:
    """Check that a broker answers and that the topics exist. Blocks. Raises as `kafka_settings` does."""
    from triggers.kafka.reachability import check_before_command  # noqa: PLC0415  # the client takes a while to import

    names = Topology(settings.namespace)
    check_before_command(settings, *(getattr(names, topic) for topic in topics or ("events",)))


def require_permissions(settings: Settings, process: str) -> None:
    """Raise AccessDenied if a secured cluster does not permit what this kind of process needs. Blocks."""
    if settings.is_secured:
        from triggers.kafka.denials import check_permissions  # noqa: PLC0415  # the client takes a while to import
        from triggers.kafka.permissions import Process  # noqa: PLC0415  # as above

        check_permissions(settings, Process(process))
