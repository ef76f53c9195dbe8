"""`triggers hooks` runs the hooks of managers for every decision in the decision feed."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import click

from triggers.cli.celery_app import app_option, load_app
from triggers.cli.settings_options import service_settings
from triggers.registry import trigger_managers
from triggers.telemetry.logs import configure_logging
from triggers.telemetry.tracing import export_spans

if TYPE_CHECKING:
    from triggers.hooks.runner import MakeManager


@click.command("hooks")
@app_option
@click.option(
    "--manager", default="default", show_default=True, help="Manager of sessions whose rules have no $manager."
)
@click.option(
    "--group",
    default="hooks",
    show_default=True,
    help="Consumer group `<namespace>.<group>`. Each group runs every hook once.",
)
@click.pass_context
def hooks_command(ctx: click.Context, app: str, manager: str, group: str) -> None:
    """Run `_post_fire`, `_post_replay` and `_post_skip` of registered managers until SIGTERM.

    The workers must publish their decisions (TRIGGERS_DECISIONS). Several of these processes share the sessions.
    """
    from triggers.hooks.runner import HookRunner

    settings = service_settings(ctx)
    configure_logging(settings)
    export_spans("triggers-hooks")
    load_app(app).loader.import_default_modules()  # this sets up Django, too
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    HookRunner(settings, _maker(manager), group).run(stopping)


def _maker(default: str) -> MakeManager:
    trigger_managers.get_class(default)  # so that a misspelt name ends the process now, not at the first decision
    return lambda key, storage: trigger_managers.get(key or default, storage)
