"""The permissions of each process, and how `triggers topics acls` prints them."""

from __future__ import annotations

import shlex
from itertools import pairwise

import pytest
import yaml
from click.testing import CliRunner

from triggers.cli import main
from triggers.kafka.permissions import Permission, Process, Resource, merge_permissions, permissions_of
from triggers.settings import Settings

SETTINGS = Settings(namespace="shop")


def _print(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["--namespace", "shop", "topics", "acls", "--principal", "User:x", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_application_needs_to_write_events_and_to_find_the_workers() -> None:
    assert permissions_of(Process.CLIENT, SETTINGS) == [
        Permission(Resource.TOPIC, "shop.events", ("Write",)),
        Permission(Resource.GROUP, "shop.agents", ("Describe",)),
    ]


@pytest.mark.parametrize("process", Process)
def test_names_are_below_the_namespace_and_those_who_use_all_queues_have_prefixes(process: Process) -> None:
    permissions = permissions_of(process, SETTINGS)

    assert all(each.name.startswith(("shop.", "shop-")) for each in permissions)
    users_of_all_queues = {Process.AGENT, Process.API, Process.CONSOLE, Process.OPERATOR}
    users_of_all_queues |= {Process.COPY, Process.COPY_SOURCE}
    assert any(each.is_prefix for each in permissions) is (process in users_of_all_queues)


@pytest.mark.parametrize("process", Process)
def test_no_resource_is_named_twice(process: Process) -> None:
    permissions = permissions_of(process, Settings(namespace="shop", decisions=True, queues="@default,gpu"))

    assert merge_permissions(permissions) == permissions


def test_the_decision_feed_needs_permissions_only_if_it_is_enabled() -> None:
    with_feed = permissions_of(Process.AGENT, Settings(namespace="shop", decisions=True))

    assert {each.name for each in with_feed} - {each.name for each in permissions_of(Process.AGENT, SETTINGS)} == {
        "shop.decisions"
    }


def test_a_celery_worker_reads_its_queues_only() -> None:
    lines = [shlex.split(line) for line in _print("--process", "celery", "--queue", "gpu").splitlines()]

    read = [line for line in lines if "Read" in line]
    assert [line[-2:] for line in read] == [["--topic", "shop.commands.gpu"], ["--group", "shop.executors.gpu"]]


def test_a_prefix_is_printed_as_a_pattern() -> None:
    (line,) = [line for line in _print("--process", "agent").splitlines() if "--transactional-id" in line]

    assert line == (
        "kafka-acls.sh --bootstrap-server localhost:9092 --command-config admin.properties --add"
        " --allow-principal User:x --operation Write --transactional-id shop- --resource-pattern-type prefixed"
    )


def _parse(line: str) -> Permission:
    words = shlex.split(line)
    options = list(pairwise(words))
    (resource, name) = next((Resource(flag[2:]), name) for flag, name in options if flag[2:] in set(Resource))
    operations = tuple(operation for flag, operation in options if flag == "--operation")
    return Permission(resource, name, operations, ("--resource-pattern-type", "prefixed") in options)


@pytest.mark.parametrize("process", Process)
def test_the_commands_grant_the_permissions(process: Process) -> None:
    assert [_parse(line) for line in _print("--process", process.value).splitlines()] == permissions_of(
        process, SETTINGS
    )


def test_a_kafka_user_has_the_same_permissions() -> None:
    user = yaml.safe_load(_print("--process", "agent", "--format", "strimzi", "--authentication", "tls"))

    assert (user["kind"], user["metadata"]["name"]) == ("KafkaUser", "x")
    assert user["spec"]["authentication"] == {"type": "tls"}
    printed = [
        (acl["resource"]["name"], acl["resource"]["patternType"] == "prefix", tuple(acl["operations"]))
        for acl in user["spec"]["authorization"]["acls"]
    ]
    wanted = permissions_of(Process.AGENT, SETTINGS)
    assert printed == [(each.name, each.is_prefix, each.operations) for each in wanted]
    types = {acl["resource"]["type"] for acl in user["spec"]["authorization"]["acls"]}
    assert types == {"topic", "group", "transactionalId"}


def test_without_a_process_one_principal_gets_the_permissions_of_all() -> None:
    lines = _print().splitlines()

    assert len(lines) == len(set(lines))
    assert sum(line.endswith("--topic shop.events") for line in lines) == 1
    assert not any("Delete" in line or "AlterConfigs" in line for line in lines), "nobody needs them every day"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--principal", "x"], "must have a type, such as User:x"),
        (["--principal", "Group:x", "--format", "strimzi"], "must be User:<name>, because a KafkaUser is a user"),
        (["--principal", "User:x", "--queue", "no/name"], "queue 'no/name'"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(main, ["topics", "acls", *arguments])

    assert done.exit_code == 2
    assert told in done.stderr
