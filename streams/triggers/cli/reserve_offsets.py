"""`triggers reserve-offsets` lets an installation continue after the loss of the events topic."""

from __future__ import annotations

import click

from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import kafka_settings, require_permissions
from triggers.recovery.lost_events import reserve_lost_offsets


@click.command("reserve-offsets")
@json_option
@click.pass_context
def reserve_offsets_command(ctx: click.Context, as_json: bool) -> None:
    """Continue from the changelog after the events were lost. All workers must be stopped.

    The events topic was recreated and is empty. Sessions know their events by offset, so the command uses up
    the offsets of the lost events, and sets the workers' group after them. The sessions continue as they are. Events
    that were not applied are lost, and those that were applied can no longer be explained.
    """
    settings = kafka_settings(ctx, "events", "changelog")
    require_permissions(settings, "reserve-offsets")
    reserved = reserve_lost_offsets(settings)
    if as_json:
        print_json(reserved)
        return
    columns = ("partition", "sessions", "next offset")
    print_table(columns, [(each.partition, each.sessions, each.first) for each in reserved])
