"""`triggers list` lists sessions."""

from __future__ import annotations

import click

from triggers.analysis.times import moment
from triggers.cli.output import json_option, print_json, print_table, rules_words
from triggers.cli.settings_options import kafka_settings
from triggers.client import SessionReader


@click.command("list")
@click.option("--prefix", default="", help="Only sessions whose UID starts with this.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of sessions.")
@json_option
@click.pass_context
def list_command(ctx: click.Context, prefix: str, limit: int, as_json: bool) -> None:
    """List sessions in the order of their UIDs. The command asks all workers."""
    summaries = SessionReader(kafka_settings(ctx)).summaries(prefix, limit)
    if as_json:
        print_json(summaries)
        return
    columns = ("session", "events", "instances", "unresolved", "created (UTC)", "modified (UTC)", "rules")
    rows = [
        (s.uid, s.events, s.instances, s.unresolved, moment(s.created), moment(s.modified), rules_words(s.rules))
        for s in summaries
    ]
    print_table(columns, rows)
