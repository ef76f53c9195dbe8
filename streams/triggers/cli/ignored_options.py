"""Refuses options and arguments that a command would ignore, because something that they need is missing."""

from __future__ import annotations

import click
from click.core import ParameterSource


def refuse_ignored(ctx: click.Context, why: str, *names: str) -> None:
    """Raise UsageError if one of the command's parameters, by their names in Python, was given on the command line.

    `why` completes the sentence that begins with the option. A value of the environment is not refused, because it is
    set for every call of the command.
    """
    given = [each for each in ctx.command.params if each.name in names and is_given(ctx, str(each.name))]
    if given:
        raise click.UsageError(f"{_shown(given[0])} {why}")


def is_given(ctx: click.Context, name: str) -> bool:
    """Return whether the parameter was given on the command line."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def refuse_brokers(ctx: click.Context) -> None:
    """Raise UsageError for `triggers --brokers … dev`: the command's own `--broker` decides whether one is started.

    Without it, properties of a secured cluster would be ignored.
    """
    if ctx.parent is not None and is_given(ctx.parent, "brokers"):
        raise click.UsageError(f"--brokers does not go with {ctx.info_name}; give its own --broker")
    if ctx.parent is not None and is_given(ctx.parent, "kafka_config_file") and not ctx.params["broker"]:
        raise click.UsageError(
            f"--kafka-config-file needs {ctx.info_name} --broker, because its own broker is not secured"
        )


def _shown(parameter: click.Parameter) -> str:
    return parameter.opts[0] if isinstance(parameter, click.Option) else parameter.human_readable_name
