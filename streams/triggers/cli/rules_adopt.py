"""`triggers rules adopt` binds existing sessions to a version of published rules: one session, or all that match."""

from __future__ import annotations

import click

from triggers.cli.bulk import Bulk, bulk_options, repair_many
from triggers.cli.operator_events import operator_publisher
from triggers.cli.option_types import RulesName, SessionUid
from triggers.cli.output import json_option, print_json, print_line
from triggers.cli.settings_options import kafka_settings
from triggers.client import SessionReader
from triggers.client.published_rules import StreamRules, version_to_adopt
from triggers.core.events import AdoptionRequested
from triggers.jobs.records import Action, JobChange


@click.command("adopt")
@click.argument("name", type=RulesName())
@click.argument("session", type=SessionUid(), default="")
@click.option("--version", type=click.IntRange(1), default=None, help="Version to adopt. Default: the newest one.")
@bulk_options
@json_option
@click.pass_context
def adopt(ctx: click.Context, name: str, session: str, version: int | None, bulk: Bulk | None, as_json: bool) -> None:
    """Bind the existing SESSION to a version of the rules NAME, even if that version says --existing keep.

    The session may have another version, other published rules or none. Its tasks change as if the version had been
    published with --existing adopt. With --where, bind all sessions that the filter finds, as a job.
    """
    change = JobChange(action=Action.ADOPT, rules=name, version=version or 0)
    if bulk is not None:
        repair_many(ctx, change, bulk, as_json=as_json)
        return
    settings = kafka_settings(ctx, "events", "rules")
    number = version_to_adopt(name, version or 0, StreamRules(settings).publications())
    reader = SessionReader(settings)
    reader.read(session)  # raises SessionNotFound
    event = AdoptionRequested(name=name, version=number)
    rules = reader.read(session, operator_publisher(settings).publish(session, event)).rules
    if rules is None or (rules.name, rules.version) != (name, number):
        raise click.ClickException(
            f"{session!r:.300} did not adopt version {number} of the rules {name!r:.300};"
            " `triggers dead-letters list` says why"
        )
    if as_json:
        print_json({"session": session, "name": name, "version": number})
    else:
        print_line(f"{session} has version {number} of the rules {name!r}.")
