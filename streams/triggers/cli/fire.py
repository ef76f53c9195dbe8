"""`triggers fire` fires one trigger, or every trigger of a file."""

from __future__ import annotations

from datetime import datetime

import click

from triggers.analysis.input_file import InputFile
from triggers.cli.ignored_options import refuse_ignored
from triggers.cli.option_types import Input, JsonObject
from triggers.cli.output import json_option, print_json
from triggers.cli.settings_options import command_settings, require_kafka
from triggers.client import KafkaPublisher
from triggers.codec import check_event, check_trigger_name, encode_event, encode_key
from triggers.core.events import TriggerFired
from triggers.settings import Settings
from triggers.telemetry.tracing import export_spans, flush

_RFC_3339 = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"]
_OF_ONE_EVENT = ("session", "trigger", "kwargs", "event_id", "time", "named")


@click.command("fire")
@click.argument("session", required=False)
@click.argument("trigger", required=False)
@click.option("--kwargs", type=JsonObject(), default=b"{}", help="Kwargs of the trigger. Default: {}.")
@click.option(
    "--id", "event_id", help="Id of the event. If the session's dedupe window has it, the event is a duplicate."
)
@click.option(
    "--time", type=click.DateTime(_RFC_3339), help="Time of the event (RFC 3339). Default: when Kafka receives it."
)
@click.option("--begin-with", "named", metavar="NAME", help="Published rules that the session takes if it is new.")
@click.option(
    "--from",
    "file",
    type=Input(),
    help="File of JSON lines, optionally compressed with gzip; - is standard input.",
)
@click.option("--rules", type=JsonObject(), help="With --from: configure every session with these rules first.")
@click.option(
    "--start-line", type=click.IntRange(1), default=1, show_default=True, help="With --from: first line to publish."
)
@json_option
@click.pass_context
def fire_command(
    ctx: click.Context,
    session: str | None,
    trigger: str | None,
    kwargs: bytes,
    event_id: str | None,
    time: datetime | None,
    named: str | None,
    file: InputFile | None,
    rules: bytes | None,
    start_line: int,
    as_json: bool,
) -> None:
    """Fire TRIGGER in SESSION, or every trigger of a file in order.

    A file has one JSON object per line: session, trigger, and optionally kwargs, time (RFC 3339 or milliseconds) and
    id. A line can also be any other event, as `triggers export` writes it. The command returns when the broker has
    acknowledged everything.
    """
    settings = command_settings(ctx)
    if export_spans("triggers-cli"):
        ctx.call_on_close(flush)
    if file is not None:
        refuse_ignored(ctx, "does not go with --from: each line of the file has its own", *_OF_ONE_EVENT)
        from triggers.cli.fire_file import fire_file

        require_kafka(settings)
        fire_file(settings, file, rules, start_line, as_json)
        return
    refuse_ignored(ctx, "needs --from", "rules", "start_line")
    if session is None or trigger is None:
        raise click.UsageError("give SESSION and TRIGGER, or --from FILE")
    check_trigger_name(trigger)
    milliseconds = int(time.timestamp() * 1000) if time else 0
    event = TriggerFired(trigger=trigger, kwargs=kwargs, id=event_id, time=milliseconds, rules=named)
    _fire_one(settings, session, event, as_json=as_json)


def _fire_one(settings: Settings, session: str, event: TriggerFired, *, as_json: bool) -> None:
    encode_key(session)
    check_event(event, settings.max_payload_bytes)
    encode_event(event)  # raises for text that no record can hold, before a broker is needed
    require_kafka(settings)
    record = KafkaPublisher(settings, source="cli").publish(session, event)
    if as_json:
        print_json({"session": session, "partition": record.partition, "offset": record.offset})
    else:
        click.echo(f"Fired {event.trigger!r} in {session!r} at {record.partition}/{record.offset}.")
