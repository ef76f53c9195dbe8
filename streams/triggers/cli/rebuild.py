"""`triggers rebuild` writes the changelog again from the events."""

from __future__ import annotations

import click

from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.recovery_progress import recovery_progress
from triggers.cli.settings_options import kafka_settings, require_permissions
from triggers.process.footprint import rare_garbage_collections
from triggers.recovery.changelog_rebuild import PartitionRebuilt, RebuildOptions, rebuild_changelog


@click.command("rebuild")
@click.option("--check", "is_check", is_flag=True, help="Write nothing. The exit code is 1 if rows differ.")
@click.option(
    "--accept-removed", is_flag=True, help="Continue even if retention has removed the first events of a partition."
)
@json_option
@click.pass_context
def rebuild_command(ctx: click.Context, is_check: bool, accept_removed: bool, as_json: bool) -> None:
    """Write the changelog again from the events, after it was lost or damaged. All workers must be stopped.

    The events that the workers had applied are folded once more. Missing and wrong rows are written, superfluous ones
    are deleted, and nothing else is: no command is issued, and no offset is changed. The rows of one partition at a
    time need space in the folder for temporary files (TMPDIR).

    With --check, compare the changelog with the events, for example after a restore from a backup.
    """
    settings = kafka_settings(ctx, "events", "changelog", "dead_letters")
    require_permissions(settings, "rebuild")
    options = RebuildOptions(is_check=is_check, accepts_removed=accept_removed)
    with rare_garbage_collections(), recovery_progress("folding") as show_progress:
        partitions = rebuild_changelog(
            settings, options, lambda done: _report(done, is_check=is_check), on_progress=show_progress
        )
    different = sum(each.different for each in partitions)
    if as_json:
        print_json({"partitions": partitions, "different": different, "written": not is_check})
    else:
        columns = ("partition", "events", "sessions", "rows", "rows that differed", "events removed before")
        print_table(columns, [_row(each) for each in partitions])
    if is_check and different:
        ctx.exit(1)


def _report(done: PartitionRebuilt, *, is_check: bool) -> None:
    verb = "differ" if is_check else "were written"
    click.echo(f"partition {done.partition}: {done.events} events, {done.different} rows {verb}", err=True)


def _row(each: PartitionRebuilt) -> tuple[object, ...]:
    return each.partition, each.events, each.sessions, each.rows, each.different, each.removed_before
