"""Every process works with exactly the permissions that `triggers topics acls` prints, and names each missing one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.support import program
from tests.support.celery_process import celery_worker, dispatcher
from tests.support.redis_server import RedisServer
from tests.support.secured_flow import COMMANDS, NAMES, NAMESPACE, OF_OPERATOR, QUEUE, cli, do_the_rest
from tests.support.secured_kafka import SecuredKafka, SettingsFor, is_used, single_operations
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.cli.program import command_names
from triggers.client import KafkaPublisher
from triggers.core.events import TriggerFired
from triggers.dev.child_process import Relay
from triggers.dev.demo import Demo, DemoPlan, DemoReport
from triggers.dev.example import BrowserService
from triggers.dev.stack import Stack
from triggers.errors import AccessDenied
from triggers.kafka.denials import check_permissions, denied_error, find_denied
from triggers.kafka.permissions import RECOVERY, Permission, Process, Resource, permissions_of
from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

_SERVING = [process for process in Process if process not in RECOVERY]
"""Those that run beside each other. The commands for a disaster have tests of their own."""


def _of(process: Process, settings: Settings) -> list[Permission]:
    """Returns the permissions of a process of the installation. Its dispatcher takes the commands of the queue."""
    queues = QUEUE if process is Process.DISPATCHER else ""
    return permissions_of(process, msgspec.structs.replace(settings, queues=queues))


@dataclass(frozen=True)
class Run:
    """The demo on the secured broker, with a killed worker, and everything else that the processes do."""

    kafka: SecuredKafka
    settings_for: SettingsFor
    report: DemoReport
    killed: int
    allowed: frozenset[tuple[str, str, str, str]]
    denied: frozenset[tuple[str, str, str, str]]


@pytest.fixture(scope="module")
def run(secured: SecuredKafka, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs everything once. Each kind of process has a user with its own permissions."""
    folder = tmp_path_factory.mktemp("run")

    def settings_for(user: str) -> Settings:
        return msgspec.structs.replace(secured.settings(user, NAMESPACE, folder), decisions=True)

    for process in _SERVING:
        secured.allow(process, _of(process, settings_for(process)))
    operator = settings_for("operator")
    assert cli(operator, "topics", "create", "--partitions", "2").exit_code == 0
    assert cli(operator, "topics", "create", "--queue", QUEUE, "--partitions", "1").exit_code == 0
    with ExitStack() as cleanup:
        log = cleanup.enter_context((folder / "demo.log").open("w"))
        stack, service = Stack(Relay(log)), BrowserService()
        cleanup.callback(service.stop)
        cleanup.callback(stack.stop)
        demo = Demo(DemoPlan(sessions=40, kill=True), operator, stack, service.port, settings_for)
        demo.start()
        demo.run(lambda _: None)
        report = demo.check()
        do_the_rest(secured, settings_for, stack)
    mine = frozenset(map(str, _SERVING))
    allowed, denied = ({each for each in secured.audited(said) if each[0] in mine} for said in ("Allowed", "Denied"))
    return Run(secured, settings_for, report, demo.progress.killed, frozenset(allowed), frozenset(denied))


def test_the_demo_and_a_killed_worker_need_no_other_permissions(run: Run) -> None:
    assert run.denied == frozenset()
    assert run.report.problems == []
    assert (run.killed, run.report.repeated) == (1, 0)


UNUSED = {
    (Process.OPERATOR, NAMES.decisions, "Write"),
    (Process.OPERATOR, f"{NAMES.commands}.", "Write"),
    (Process.OPERATOR, NAMES.commands, "Read"),
    (Process.API, NAMES.commands, "Read"),
    (Process.CONSOLE, NAMES.commands, "Read"),
    (Process.API, NAMES.commands, "Write"),
    (Process.API, f"{NAMES.commands}.", "Write"),
}
"""What only the redrive of another dead letter uses, or the count of commands that wait at that moment."""


BESIDES = {"api", "console", "demo", "dispatcher", "hooks", "worker"} | {str(process) for process in RECOVERY}
"""Commands that the tests of this folder run in another way."""
WITHOUT_KAFKA = {"check", "completion", "init", "verify"}
OF_OTHER_COMMANDS = {"dev": "starts the processes", "migrate": "fires as an application does"}


def test_every_command_of_the_program_runs_on_the_secured_broker() -> None:
    used = {command[0] for command in (*COMMANDS, *OF_OPERATOR)} | {"delete", "show"}

    assert used | BESIDES | WITHOUT_KAFKA | OF_OTHER_COMMANDS.keys() >= set(command_names())


@pytest.mark.parametrize("process", [process for process in _SERVING if process is not Process.DISPATCHER])
def test_every_permission_is_used(run: Run, process: Process) -> None:
    unused = {
        (process, permission.name, operation)
        for permission in _of(process, run.settings_for(process))
        for operation in permission.operations
        if not is_used(run.allowed, process, permission, operation)
    }

    assert unused - UNUSED == set()


def test_the_dispatcher_needs_no_other_permissions(run: Run, redis: RedisServer) -> None:
    settings = msgspec.structs.replace(run.settings_for("dispatcher"), queues=QUEUE)

    with dispatcher(settings, redis.url, TRIGGERS_QUEUES=QUEUE):
        wait_until(lambda: _unfinished(run.settings_for("operator")) == 0, "the command is dispatched", 120)

    assert {each for each in run.kafka.audited("Denied") if each[0] == "dispatcher"} == set()


def _unfinished(operator: Settings) -> int:
    rows = json.loads(cli(operator, "topics", "lag", "--json").stdout)
    return sum(row["records"] for row in rows if row["topic"] == NAMES.commands_of(QUEUE))


def _single(process: Process) -> Iterator[tuple[Process, Permission]]:
    """Returns every single operation of a process that brokers tell about."""
    settings = Settings(namespace=NAMESPACE, decisions=True)
    return ((process, permission) for permission in single_operations(_of(process, settings)))


@contextmanager
def _without(run: Run, process: Process, permission: Permission) -> Iterator[Settings]:
    """Takes a permission away and yields the settings of the process."""
    settings = run.settings_for(process)
    run.kafka.forbid(process, permission)
    try:
        if permission.resource is not Resource.TRANSACTIONAL_ID:
            wait_until(lambda: find_denied(settings, process) != [], f"{permission} is taken away")
        yield settings
    finally:
        run.kafka.allow(process, [permission])
        wait_until(lambda: find_denied(settings, process) == [], f"{permission} is granted")


@pytest.mark.parametrize(
    ("process", "permission"),
    [each for process in _SERVING if process is not Process.DISPATCHER for each in _single(process)],
    ids=str,
)
def test_each_missing_permission_is_named_with_the_fix(run: Run, process: Process, permission: Permission) -> None:
    with _without(run, process, permission) as settings:
        (denied,) = find_denied(settings, process)
        told = str(denied_error(settings, process, [denied]))

    assert denied == permission
    assert f" does not permit {permission}: grant" in told
    assert f"`triggers topics acls --principal User:{process} --process {process}`" in told
    assert "\n" not in told


def test_only_create_can_be_missing_at_a_start(run: Run) -> None:
    for operation in ("Create", "Write"):
        permission = Permission(Resource.TOPIC, f"{NAMES.commands}.", (operation,), is_prefix=True)
        with _without(run, Process.AGENT, permission) as settings:
            if operation == "Create":
                check_permissions(settings, Process.AGENT)
            else:
                with pytest.raises(AccessDenied, match=r"does not permit Write on topic secured\.commands\.\*"):
                    check_permissions(settings, Process.AGENT)


def test_a_worker_without_a_permission_names_it_once_and_starts_when_it_is_granted(run: Run, tmp_path: Path) -> None:
    permission = Permission(Resource.TOPIC, NAMES.changelog, ("Write",))
    with _without(run, Process.AGENT, permission) as settings:
        worker = WorkerProcess(msgspec.structs.replace(settings, data_dir=tmp_path), "worker-x")
        with worker:
            wait_until(lambda: f"does not permit {permission}" in worker.log_text(), "the worker names it", 60)
            run.kafka.allow("agent", [permission])
            worker.wait_ready()

    assert worker.log_text().count(f"does not permit {permission}") == 1


def test_a_worker_that_may_not_use_its_transactional_id_says_so(run: Run, tmp_path: Path) -> None:
    permission = Permission(Resource.TRANSACTIONAL_ID, f"{NAMESPACE}-", ("Write",), is_prefix=True)
    with _without(run, Process.AGENT, permission) as settings:
        worker = WorkerProcess(msgspec.structs.replace(settings, data_dir=tmp_path), "worker-y")
        with worker:
            assert worker.join(60) == 74

    (line,) = [line for line in worker.log_text().splitlines() if "worker exits" in line]
    assert "grant Write on transactional-id <namespace>-*" in line


def test_a_celery_worker_without_a_permission_names_it_and_ends(run: Run, tmp_path: Path) -> None:
    permission = Permission(Resource.TOPIC, NAMES.commands, ("Read",))
    with _without(run, Process.CELERY, permission) as settings:
        worker = celery_worker(msgspec.structs.replace(settings, data_dir=tmp_path), "--pool=solo")
        with worker:
            assert worker.join(60) == 74

    assert worker.log_text().count(f"does not permit {permission}") == 1
    assert "Traceback" not in worker.log_text()


def test_hooks_without_a_permission_name_it_and_end(run: Run) -> None:
    permission = Permission(Resource.TOPIC, NAMES.decisions, ("Read",))
    with _without(run, Process.HOOKS, permission) as settings:
        done = program.run(settings, "hooks", "-A", "tests.support.celery_tasks", timeout_s=60)

    assert done.returncode == 2, done.stderr
    assert done.stderr.count(f"does not permit {permission}") == 1
    assert "Traceback" not in done.stderr


def test_fire_without_a_permission_names_it(run: Run) -> None:
    permission = Permission(Resource.TOPIC, NAMES.events, ("Write",))

    with (
        _without(run, Process.CLIENT, permission) as settings,
        pytest.raises(AccessDenied, match=f"does not permit {permission}"),
    ):
        KafkaPublisher(settings).publish("s", TriggerFired(trigger="a"))


def test_rules_cannot_be_published_without_their_transactional_id(run: Run, tmp_path: Path) -> None:
    permission = Permission(Resource.TRANSACTIONAL_ID, NAMES.rules, ("Write",))
    (tmp_path / "rules.json").write_text('{"t_a": {"after": ["a"], "run": "app.a"}}')
    with _without(run, Process.OPERATOR, permission) as settings:
        done = cli(settings, "rules", "publish", "more", str(tmp_path / "rules.json"))

    assert done.exit_code == 2, done.output
    assert f"does not permit Write on transactional-id {NAMES.rules}: " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("process", "permission"),
    [
        (Process.AGENT, Permission(Resource.TOPIC, NAMES.changelog, ("Write",))),
        (Process.AGENT, Permission(Resource.TRANSACTIONAL_ID, f"{NAMESPACE}-", ("Write",), is_prefix=True)),
        (Process.CELERY, Permission(Resource.GROUP, NAMES.executors, ("Read",))),
    ],
    ids=str,
)
def test_the_doctor_names_a_missing_permission(run: Run, process: Process, permission: Permission) -> None:
    with _without(run, process, permission) as settings:
        done = cli(settings, "doctor", "--process", process, "--json")
    findings = [each for each in json.loads(done.stdout) if each["check"] == "permissions"]

    assert done.exit_code == 1
    assert [each["detail"] for each in findings] == [f"the {process} lacks {permission}"]
    assert f"--process {process}`" in findings[0]["fix"]
