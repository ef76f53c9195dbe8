"""`triggers topics acls` prints the access control lists that each process needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from triggers.cli.ignored_options import refuse_ignored
from triggers.cli.settings_options import command_settings
from triggers.kafka.acl_formats import kafka_acls_commands, strimzi_user
from triggers.kafka.permissions import RECOVERY, Process, merge_permissions, permissions_of

F = TypeVar("F", bound=Callable[..., Any])

process_option: Callable[[F], F] = click.option(
    "--process",
    type=click.Choice([process.value for process in Process]),
    help="Kind of process: agent (`triggers worker`), celery, dispatcher, hooks, console, api, client (an application"
    " that fires triggers), operator (this command line); or one of the commands for a disaster or a move: rebuild,"
    " copy (in the new namespace), copy-source (in the one that it reads), reserve-offsets.",
)


@click.command("acls")
@click.option("--principal", required=True, metavar="TYPE:NAME", help="Who gets the permissions, such as User:agent.")
@process_option
@click.option(
    "--format",
    "shape",
    type=click.Choice(["kafka-acls", "strimzi"]),
    default="kafka-acls",
    show_default=True,
    help="Commands of kafka-acls.sh, or a KafkaUser of the Strimzi operator.",
)
@click.option(
    "--authentication",
    type=click.Choice(["scram-sha-512", "tls", "tls-external"]),
    default="scram-sha-512",
    show_default=True,
    help="With --format strimzi: how the user authenticates.",
)
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="Queue of a Celery worker. Repeatable.")
@click.pass_context
def acls(
    ctx: click.Context,
    principal: str,
    process: str | None,
    shape: str,
    authentication: str,
    queues: tuple[str, ...],
) -> None:
    """Print the permissions that a process needs, with exact names and prefixes. Nothing is sent to Kafka.

    Without --process, the principal gets the permissions of all processes, except for the commands for a disaster or a
    move. The namespace, TRIGGERS_QUEUES and TRIGGERS_DECISIONS determine the names.
    """
    if ":" not in principal:
        raise click.UsageError(f"--principal {principal!r} must have a type, such as User:{principal}")
    if shape != "strimzi":
        refuse_ignored(ctx, "needs --format strimzi", "authentication")
    if process not in {None, Process.CELERY, Process.DISPATCHER}:
        refuse_ignored(ctx, "needs --process celery or dispatcher", "queues")
    settings = command_settings(ctx)
    if queues:
        settings = msgspec.structs.replace(settings, queues=",".join(queues))
    processes = [Process(process)] if process else [each for each in Process if each not in RECOVERY]
    permissions = merge_permissions([each for name in processes for each in permissions_of(name, settings)])
    if shape == "strimzi":
        click.echo(strimzi_user(principal, permissions, authentication))
    else:
        click.echo(kafka_acls_commands(principal, permissions, settings.brokers))
