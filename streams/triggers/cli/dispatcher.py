"""`triggers dispatcher` moves commands into the application's own Celery broker."""

from __future__ import annotations

import sys

import click

from triggers.cli.celery_app import app_option, load_app
from triggers.cli.settings_options import service_settings, setting
from triggers.telemetry.logs import configure_logging


@click.command("dispatcher")
@app_option
@setting(
    "queues",
    "Queues to take commands from, as comma-separated names. Default: @default, for commands whose rules name none.",
)
@click.pass_context
def dispatcher_command(ctx: click.Context, app: str) -> None:
    """Move commands from Kafka into the Celery app's own broker.

    Use it if there are more Celery workers than partitions, or if tasks run so long that a rebalance must not restart
    them. The Celery workers report results if the app calls `triggers.celery.install(app, consume=False)`. Celery's own
    routing (task_routes, the options of a task) decides which queue of that broker a command goes to.
    """
    from triggers.celery.dispatcher import run_dispatcher

    settings = service_settings(ctx)
    configure_logging(settings)
    sys.exit(run_dispatcher(load_app(app), settings))
