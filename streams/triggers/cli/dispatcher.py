"""`triggers dispatcher` moves commands into the application's own Celery broker."""

from __future__ import annotations

import sys

import click

from triggers.cli.celery_app import app_option, load_app
from triggers.cli.settings_options import command_settings


@click.command("dispatcher")
@app_option
@click.pass_context
def dispatcher_command(ctx: click.Context, app: str) -> None:
    """Move commands from Kafka into the Celery app's own broker.

    Use it if there are more Celery workers than partitions, or if tasks run so long that a rebalance must not restart
    them. The Celery workers report results if the app calls `triggers.celery.install(app, consume=False)`.
    """
    from triggers.celery.dispatcher import run_dispatcher

    sys.exit(run_dispatcher(load_app(app), command_settings(ctx)))
