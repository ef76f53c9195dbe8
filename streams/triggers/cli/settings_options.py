"""Options that are settings: the same name and meaning as the field, the same `TRIGGERS_*` variable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from triggers.settings import PREFIX, Settings

F = TypeVar("F", bound=Callable[..., Any])


def setting(name: str, text: str) -> Callable[[F], F]:
    """An option `--a-b` for the field `a_b`; `settings_of` finds its value."""

    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.ensure_object(dict)[name] = value

    flag, variable = f"--{name.replace('_', '-')}", PREFIX + name.upper()
    return click.option(
        flag, envvar=variable, show_envvar=True, help=text, callback=keep, expose_value=False, metavar="VALUE"
    )


def settings_of(ctx: click.Context, **overrides: object) -> Settings:
    """The settings of a command: its options over the environment. Raises SettingsError."""
    return Settings.from_env(**{**(ctx.obj or {}), **overrides})
