"""`triggers copy` moves an installation to another namespace, number of partitions or cluster."""

from __future__ import annotations

import click
from msgspec import structs

from triggers.cli.output import json_option, print_json, print_table
from triggers.cli.recovery_progress import recovery_progress
from triggers.cli.settings_options import command_settings, require_kafka, require_permissions, setting
from triggers.kafka.topics import DEFAULT_RETENTION_DAYS
from triggers.process.footprint import rare_garbage_collections
from triggers.recovery.installation_copy import InstallationCopy
from triggers.settings import Settings
from triggers.topology import check_namespace


@click.command("copy")
@click.argument("namespace", metavar="FROM_NAMESPACE")
@click.option("--from-brokers", help="Bootstrap servers of the cluster of FROM_NAMESPACE. Default: the same cluster.")
@click.option(
    "--from-kafka-config-file",
    metavar="FILE",
    help="Properties of librdkafka for the cluster of FROM_NAMESPACE, instead of TRIGGERS_KAFKA_*.",
)
@click.option(
    "--mirrored",
    is_flag=True,
    help="A mirror has written the topics of FROM_NAMESPACE, so that their offsets have changed.",
)
@setting("partitions", "Number of partitions of the new topics.")
@setting("replication_factor", "Replicas of each partition; 3 in production.")
@click.option(
    "--retention-days",
    envvar="TRIGGERS_RETENTION_DAYS",
    show_envvar=True,
    type=click.IntRange(1),
    default=DEFAULT_RETENTION_DAYS,
    show_default=True,
    help="Retention of the new events and commands, in days.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@click.pass_context
def copy_command(
    ctx: click.Context,
    namespace: str,
    from_brokers: str | None,
    from_kafka_config_file: str | None,
    mirrored: bool,
    retention_days: int,
    yes: bool,
    as_json: bool,
) -> None:
    """Copy the installation FROM_NAMESPACE into the one of --namespace, which must have no topics yet.

    First stop everything that fires triggers, all workers, Celery workers and dispatchers of FROM_NAMESPACE. The events
    are copied with their times and folded into the sessions. Only commands without a result are issued again, also
    those that were running. Nothing in FROM_NAMESPACE is changed. After an interruption, delete the new topics and
    repeat the command.
    """
    target = command_settings(ctx)
    source = structs.replace(target, namespace=namespace, brokers=from_brokers or target.brokers)
    if from_kafka_config_file is not None:
        source = structs.replace(source.without_security(), kafka_config_file=from_kafka_config_file)
    _check_different(source, target)
    check_namespace(namespace)
    require_kafka(source, "events", "dead_letters")
    require_permissions(source, "copy-source")
    require_permissions(target, "copy")
    if not yes and not as_json:
        question = f"Copy {namespace!r} into {target.namespace!r} with {target.partitions} partitions?"
        click.confirm(question, abort=True)
    with rare_garbage_collections(), recovery_progress("copying") as show_progress:
        copied = InstallationCopy(source, target, is_mirror=mirrored, retention_days=retention_days).run(show_progress)
    if as_json:
        print_json(copied)
    else:
        print_table(
            ("what", "number"), [(name.replace("_", " "), value) for name, value in structs.asdict(copied).items()]
        )
        click.echo(f"Start the processes with TRIGGERS_NAMESPACE={target.namespace}.")


def _check_different(source: Settings, target: Settings) -> None:
    if (source.namespace, source.brokers) == (target.namespace, target.brokers):
        raise click.UsageError(
            f"FROM_NAMESPACE and --namespace are both {source.namespace!r}: name the new one, as in"
            f" `triggers --namespace {source.namespace}-2 copy {source.namespace}`"
        )
