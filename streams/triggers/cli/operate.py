"""`triggers replay` and `triggers skip` resolve failed instances, `triggers cancel` ends others."""

from __future__ import annotations

import click
import msgspec
from msgspec import Raw

from triggers.cli.bulk import Bulk, bulk_options, repair_many
from triggers.cli.operator_events import operator_publisher
from triggers.cli.option_types import JsonObject, KwargsByTrigger, SessionUid
from triggers.cli.output import json_option, print_json, print_line
from triggers.cli.settings_options import kafka_settings
from triggers.core.events import CancelRequested
from triggers.core.view import InstanceView
from triggers.errors import InstanceNotFound
from triggers.jobs.records import Action, JobChange, result_option
from triggers.manager import TriggerManager
from triggers.storages.stream import StreamStorage


@click.command("replay")
@click.argument("session", type=SessionUid(), default="")
@click.argument("instance", default="")
@click.option(
    "--kwargs",
    type=KwargsByTrigger(),
    help="Object of trigger -> kwargs that replaces all kwargs of the instance. Default: keep them.",
)
@bulk_options
@json_option
@click.pass_context
def replay_command(
    ctx: click.Context,
    session: str,
    instance: str,
    kwargs: bytes | None,
    bulk: Bulk | None,
    as_json: bool,
) -> None:
    """Run a failed INSTANCE (task#n) of SESSION again, as a new instance.

    With --where, replay all failed instances that the filter finds.
    """
    if bulk is not None:
        given = None if kwargs is None else msgspec.json.decode(kwargs, type=dict[str, Raw])
        repair_many(ctx, JobChange(action=Action.REPLAY, kwargs=given), bulk, as_json=as_json)
        return
    manager = _manager(ctx, session)
    manager.replay_failed_instance(instance, None if kwargs is None else msgspec.json.decode(kwargs))
    replays = [one for one in manager.storage.read().instances if one.parent == instance]
    _report(instance, "replayed", replays, as_json=as_json)


@click.command("skip")
@click.argument("session", type=SessionUid(), default="")
@click.argument("instance", default="")
@click.option("--cascade", is_flag=True, help="Fire the task's name, as if the task had finished.")
@click.option("--result", type=JsonObject(), default=b"{}", help="Simulated result. Default: {}.")
@bulk_options
@json_option
@click.pass_context
def skip_command(
    ctx: click.Context,
    session: str,
    instance: str,
    cascade: bool,
    result: bytes,
    bulk: Bulk | None,
    as_json: bool,
) -> None:
    """Resolve a failed INSTANCE (task#n) of SESSION without running it.

    With --where, skip all failed instances that the filter finds.
    """
    if bulk is not None:
        change = JobChange(action=Action.SKIP, cascade=cascade, result=result_option(result))
        repair_many(ctx, change, bulk, as_json=as_json)
        return
    manager = _manager(ctx, session)
    manager.skip_failed_instance(instance, cascade, msgspec.json.decode(result))
    _report(instance, "skipped", [], as_json=as_json)


@click.command("cancel")
@click.argument("session", type=SessionUid(), default="")
@click.argument("instance", default="")
@click.option("--terminate", is_flag=True, help="Also end a running task. This needs rules of edition 2.")
@bulk_options
@json_option
@click.pass_context
def cancel_command(
    ctx: click.Context,
    session: str,
    instance: str,
    terminate: bool,
    bulk: Bulk | None,
    as_json: bool,
) -> None:
    """End an INSTANCE (task#n) of SESSION that is neither failed nor resolved.

    With rules of edition 2 it becomes cancelled, and its command is withdrawn. With rules of edition 1 it becomes
    abandoned if it waits, and skipped otherwise; a running task runs to its end, and its result has no effect.

    With --where, end all such instances that the filter finds.
    """
    if bulk is not None:
        repair_many(ctx, JobChange(action=Action.CANCEL, terminate=terminate), bulk, as_json=as_json)
        return
    settings = kafka_settings(ctx)
    storage = StreamStorage(session, settings, publisher=operator_publisher(settings))
    if instance not in storage.instances:
        raise InstanceNotFound(f"session {session!r} has no instance {instance!r}")
    storage.write(CancelRequested(instance=instance, terminate=terminate))
    status = next(one.status for one in storage.read().instances if one.name == instance)
    _report(instance, status, [], as_json=as_json)


def _manager(ctx: click.Context, session: str) -> TriggerManager:
    settings = kafka_settings(ctx)
    return TriggerManager(StreamStorage(session, settings, publisher=operator_publisher(settings)))


def _report(instance: str, done: str, replays: list[InstanceView], *, as_json: bool) -> None:
    if as_json:
        print_json({"instance": instance, "status": done, "replays": [replay.name for replay in replays]})
    else:
        names = ", ".join(f"{replay.name} ({replay.status})" for replay in replays)
        print_line(f"{instance} is {done}{f': {names}' if names else ''}.")
