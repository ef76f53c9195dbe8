"""Groups of commands that suggest the nearest name for a misspelt command."""

from __future__ import annotations

from difflib import get_close_matches

import click


class SuggestingGroup(click.Group):
    """A click group that adds "Did you mean …?" to the error for an unknown command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if near := get_close_matches(args[0], self.list_commands(ctx), n=1):
                error.message += f" Did you mean {near[0]!r}?"
            raise
