"""`triggers reserve-offsets` goes on after the loss of the events topic."""

from __future__ import annotations

import click

from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import kafka_settings, require_permissions
from triggers.recovery.lost_events import reserve_lost_offsets


@click.command("reserve-offsets")
@json_option
@click.pass_context
def reserve_offsets_command(ctx: click.Context, as_json: bool) -> None:
    """Go on after the events were lost while the changelog was not. All workers must be stopped.

    The events topic was created anew and is empty. Sessions know their events by offset, so the command uses the
    offsets of the lost events up, and sets the workers' group behind them. The sessions continue as they are. What was
    fired and not applied is lost, and what was applied cannot be explained any more.
    """
    settings = kafka_settings(ctx, "events", "changelog")
    require_permissions(settings, "reserve-offsets")
    reserved = reserve_lost_offsets(settings)
    if as_json:
        print_json(reserved)
        return
    columns = ("partition", "sessions", "next offset")
    print_table(columns, [(each.partition, each.sessions, each.first) for each in reserved])
