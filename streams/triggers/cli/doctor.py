"""`triggers doctor` checks everything that a deployment needs."""

from __future__ import annotations

import sys

import click

from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.settings_options import command_settings
from triggers.cli.topics import retention_option
from triggers.cli.topics_acls import process_option
from triggers.doctor.examination import examine
from triggers.doctor.findings import DoctorVerdict
from triggers.kafka.permissions import Process


@click.command("doctor")
@process_option
@retention_option
@json_option
@click.pass_context
def doctor_command(ctx: click.Context, process: str | None, retention_days: int, as_json: bool) -> None:
    """Check the connection, permissions, topics, workers, executors and clocks, and print fixes.

    The exit code is 1 if there is a problem. Nothing is changed. Run it with the settings of a process; --process
    chooses whose permissions are checked, by default those of this command line.
    """
    settings = command_settings(ctx)
    findings = list(examine(settings, Process(process) if process else None, retention_days))
    if as_json:
        print_json(findings)
    else:
        rows = [(each.check, each.verdict.upper(), each.detail, each.fix) for each in findings]
        print_table(("check", "", "found", "fix"), rows)
    sys.exit(1 if any(each.verdict is DoctorVerdict.PROBLEM for each in findings) else 0)
