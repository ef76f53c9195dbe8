"""`triggers completion` prints completion scripts for shells."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL. Use it as eval "$(triggers completion bash)"."""
    kind = get_completion_class(shell)
    if kind is None:  # impossible: the choice above allows only shells that click knows
        raise click.UsageError(f"click has no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "triggers", "_TRIGGERS_COMPLETE").source())
