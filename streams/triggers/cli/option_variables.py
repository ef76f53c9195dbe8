"""Names the environment variable of every option after the option: TRIGGERS_<COMMAND>_<OPTION>."""

from __future__ import annotations

import click

from triggers.settings import PREFIX


def name_variables(command: click.Command, *path: str) -> None:
    """Give the options of the command at this path, and of its subcommands, their variables. Idempotent.

    An option that has a variable keeps it, such as that of a setting. click's own names for variables would be those of
    the parameters in Python, which often differ from the options because of Python's reserved and common names.
    """
    if isinstance(command, click.Group):
        for name, subcommand in command.commands.items():
            name_variables(subcommand, *path, name)
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None:
            flag = max(option.opts, key=len).lstrip("-")
            option.envvar = PREFIX + "_".join((*path, flag)).upper().replace("-", "_")
