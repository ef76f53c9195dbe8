"""`triggers configure` adds rules to a session."""

from __future__ import annotations

import click

from triggers.analysis.check.rules import check_rules
from triggers.cli.operator_events import operator_publisher
from triggers.cli.option_types import JsonObject, SessionUid
from triggers.cli.output import json_option, print_json
from triggers.cli.printable import printable
from triggers.cli.settings_options import kafka_settings
from triggers.core.config import validate_configuration
from triggers.core.events import ConfigurationUpdated

_MISSPELT = "misspelt-directive"
"""The finding of `check` for a key that edition 1 takes for the application's own."""


@click.command("configure")
@click.argument("session", type=SessionUid())
@click.argument("rules", type=JsonObject())
@click.option("--if-absent", is_flag=True, help="Do nothing if the session has a configuration.")
@json_option
@click.pass_context
def configure_command(ctx: click.Context, session: str, rules: bytes, if_absent: bool, as_json: bool) -> None:
    """Add tasks to SESSION's configuration, or replace tasks of the same name.

    RULES is a JSON object that maps task names to directives, or a file with such an object.
    """
    if validate_configuration(rules).edition_2 is None:  # edition 2 refuses misspelt directives
        _warn_of_misspelt_directives(rules)
    event = ConfigurationUpdated(configuration=rules, if_absent=if_absent)
    where = operator_publisher(kafka_settings(ctx)).publish(session, event)
    if as_json:
        print_json({"session": session, "partition": where.partition, "offset": where.offset})
    else:
        click.echo(f"Configured {session!r} at {where.partition}/{where.offset}.")


def _warn_of_misspelt_directives(rules: bytes) -> None:
    for finding in check_rules(rules).findings:
        if finding.rule == _MISSPELT:
            click.echo(printable(f"Warning: {finding.message}; {finding.fix}"), err=True)
